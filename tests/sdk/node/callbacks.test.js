/** Status callbacks: their order, and their signatures as the SDK's validator sees them. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const twilio = require("twilio");
const { start, usNumber } = require("./harness");

const world = start(test);

function assertGenuine(requests, configuredUrl, authToken) {
  const url = configuredUrl.split("#")[0];
  for (const { url: called, headers, fields } of requests) {
    assert.equal(called, url);
    const signature = headers["x-twilio-signature"];
    assert.ok(twilio.validateRequest(authToken, signature, url, fields), JSON.stringify(fields));
    assert.ok(!twilio.validateRequest("0".repeat(32), signature, url, fields));
  }
  const tokens = new Set(requests.map(({ headers }) => headers["i-twilio-idempotency-token"]));
  assert.equal(tokens.size, requests.length, "each event has a token of its own");
}

const statuses = (requests) => requests.map(({ fields }) => fields.MessageStatus);

test("the validator accepts the vector of its own public suite", () => {
  const url = "https://mycompany.com/myapp.php?foo=1&bar=2";
  const fields = {
    CallSid: "CA1234567890ABCDE",
    Caller: "+14158675309",
    Digits: "1234",
    From: "+14158675309",
    To: "+18005551212",
  };
  assert.ok(twilio.validateRequest("12345", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", url, fields));
});

for (const rest of ["", "?tenant=42&name=a%20b", "/trailing/", "?x=1#rc=2&rp=5xx"]) {
  test(`From only: sent, delivered, at a URL ending with "${rest}"`, async () => {
    const { authToken, client } = await world.account();
    const { phoneNumber: from } = await client.incomingPhoneNumbers.create({ phoneNumber: usNumber() });
    const statusCallback = world.receiver.url(rest);
    await client.messages.create({ to: usNumber(), from, body: "hello", statusCallback });
    const requests = await world.receiver.waitFor(statusCallback, "delivered");
    assert.deepEqual(statuses(requests), ["sent", "delivered"]);
    assertGenuine(requests, statusCallback, authToken);
  });
}

test("through a service: queued, sent, delivered", async () => {
  const { authToken, client } = await world.account();
  const number = await client.incomingPhoneNumbers.create({ phoneNumber: usNumber() });
  const statusCallback = world.receiver.url();
  const { services } = client.messaging.v1;
  const service = await services.create({ friendlyName: "alerts", statusCallback });
  await services(service.sid).phoneNumbers.create({ phoneNumberSid: number.sid });
  await client.messages.create({ to: usNumber(), messagingServiceSid: service.sid, body: "hello" });
  const requests = await world.receiver.waitFor(statusCallback, "delivered");
  assert.deepEqual(statuses(requests), ["queued", "sent", "delivered"]);
  assertGenuine(requests, statusCallback, authToken);
});

test("a failure carries its code", async () => {
  const { authToken, client } = await world.account();
  const { phoneNumber: from } = await client.incomingPhoneNumbers.create({ phoneNumber: usNumber() });
  const [to, statusCallback] = [usNumber(), world.receiver.url()];
  await world.extension("Simulator/Rules", { To: to, Outcome: "undelivered", ErrorCode: "30005" });
  await client.messages.create({ to, from, body: "hello", statusCallback });
  const requests = await world.receiver.waitFor(statusCallback, "undelivered");
  assert.equal(requests.at(-1).fields.ErrorCode, "30005");
  assertGenuine(requests, statusCallback, authToken);
});
