// node cloudevents.cjs HOST KEY USER: one event in each of the two ways that the SDK sends them.
const { CloudEvent, emitterFor, httpTransport, Mode } = require('cloudevents')

const [host, key, user] = process.argv.slice(2)
const sink = httpTransport(`${host}/v1/cloudevents?writeKey=${key}`)
const send = async (mode) => {
  const answer = await emitterFor(sink, { mode })(new CloudEvent({ type: 'Product Viewed',
    source: '/shop', subject: user, id: `${user}-${mode}`, time: '2026-01-02T03:04:05.678Z',
    data: { product_id: 'p-7' } }))
  if (answer.body !== '{"success":true}') { console.error(answer); process.exitCode = 1 }
}
send(Mode.BINARY).then(() => send(Mode.STRUCTURED))
