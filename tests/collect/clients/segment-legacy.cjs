// node segment-legacy.cjs HOST KEY USER: the same as segment.mjs with Segment's older Node SDK.
const Analytics = require('analytics-node')

const [host, key, user] = process.argv.slice(2)
const analytics = new Analytics(key, { host, flushAt: 7, flushInterval: 200,
  errorHandler: (error) => { console.error(error); process.exitCode = 1 } })
const timestamp = new Date('2026-01-02T03:04:05.678Z')
for (let i = 0; i < 50; i++) {
  analytics.track({ userId: user, event: 'Product Viewed', timestamp,
    messageId: `${user}-view-${i}`, properties: { product_id: `p-${i}`, category: 'shoes' } })
}
analytics.track({ userId: user, event: 'Order Completed', timestamp, messageId: `${user}-order`,
  properties: { order_id: 'o-1', total: 25, currency: 'USD',
    products: [{ product_id: 'p-7', price: 12.5, quantity: 2 }] } })
analytics.identify({ userId: user, timestamp, messageId: `${user}-identify`,
  traits: { age: 34, address: { city: 'Manila' } } })
analytics.page({ anonymousId: `${user}-anonymous`, timestamp, messageId: `${user}-page`,
  name: 'Home' })
analytics.group({ userId: user, groupId: 'g-1', timestamp, messageId: `${user}-group`,
  traits: { industry: 'logistics' } })
analytics.flush((error) => { if (error) { console.error(error); process.exitCode = 1 } })
