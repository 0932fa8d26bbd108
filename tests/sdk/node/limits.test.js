/** What a sender may take over in a day, and paces that senders share. limits.md. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { start, eventually, refused, usNumber } = require("./harness");

const CAPS = `
[[caps]]
sender = "long_code"
daily_recipients = 2
`;
const world = start(test, CAPS);

test("capped senders make way for others, and a message that has none left fails", async () => {
  const account = await world.account();
  // The next day is not to begin in between.
  await eventually(() => 86_400_000 - (Date.now() % 86_400_000), (left) => left > 30_000, "midnight", 60_000);
  const numbers = [await account.number(), await account.number()];
  const service = await account.service(numbers);
  const counts = Object.fromEntries(numbers.map(({ phoneNumber }) => [phoneNumber, 0]));
  for (let n = 0; n < 4; n++) counts[(await account.sent(service)).from]++;
  assert.deepEqual(Object.values(counts), [2, 2]);
  const failed = await account.sent(service, { status: "failed" });
  assert.equal(failed.errorCode, 30023);
  const { candidates } = await account.ours("get", `Explain/${failed.sid}`);
  assert.deepEqual(candidates.map(({ rule }) => rule), ["daily_cap_reached", "daily_cap_reached"]);
  const [{ phoneNumber: from }] = numbers;
  const request = { to: usNumber(), from, body: "hello" };
  await refused(30023, 400, account.client.messages.create(request));
});

test("services share the pace of a campaign, and others are not held up", async () => {
  const account = await world.account();
  const services = [];
  for (let n = 0; n < 3; n++) services.push(await account.service([await account.number()]));
  const [first, second, outside] = services;
  // A message at once, and the next after a quarter of an hour.
  const spring = `
[pace.campaigns.spring]
rate = 0.001
services = ["${first.sid}", "${second.sid}"]
`;
  await world.reload(CAPS + spring);
  await account.sent(first);
  const message = { to: usNumber(), messagingServiceSid: second.sid, body: "hello" };
  const waits = await account.client.messages.create(message);
  const metrics = async () => (await fetch(`${world.url}/metrics`)).text();
  const waiting = 'postrider_pace_waiting{limit="campaign",name="spring"} 1';
  await eventually(metrics, (text) => text.includes(waiting), waiting);
  await account.sent(outside);
  const { status } = await account.client.messages(waits.sid).fetch();
  assert.ok(["accepted", "queued"].includes(status), status);
  await world.reload(CAPS);
  await account.settled(waits);
});
