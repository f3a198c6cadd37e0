// node rudderstack.mjs HOST KEY USER: the same as segment.mjs with RudderStack's Node SDK.
import Imported from '@rudderstack/rudder-sdk-node'

const Analytics = Imported.default ?? Imported
const [dataPlaneUrl, key, user] = process.argv.slice(2)
const analytics = new Analytics(key, { dataPlaneUrl, flushAt: 7, flushInterval: 200, gzip: true })
const timestamp = new Date('2026-01-02T03:04:05.678Z')
let left = 54
const done = (error) => { if (error) { console.error(error); process.exitCode = 1 } left -= 1 }
for (let i = 0; i < 50; i++) {
  analytics.track({ userId: user, event: 'Product Viewed', timestamp,
    messageId: `${user}-view-${i}`, properties: { product_id: `p-${i}`, category: 'shoes' } }, done)
}
analytics.track({ userId: user, event: 'Order Completed', timestamp, messageId: `${user}-order`,
  properties: { order_id: 'o-1', total: 25, currency: 'USD',
    products: [{ product_id: 'p-7', price: 12.5, quantity: 2 }] } }, done)
analytics.identify({ userId: user, timestamp, messageId: `${user}-identify`,
  traits: { age: 34, address: { city: 'Manila' } } }, done)
analytics.page({ anonymousId: `${user}-anonymous`, timestamp, messageId: `${user}-page`,
  name: 'Home' }, done)
analytics.group({ userId: user, groupId: 'g-1', timestamp, messageId: `${user}-group`,
  traits: { industry: 'logistics' } }, done)
analytics.flush()
const until = Date.now() + 20000
while (left > 0 && Date.now() < until) await new Promise((wake) => setTimeout(wake, 50))
process.exit(left > 0 ? 1 : process.exitCode ?? 0)
