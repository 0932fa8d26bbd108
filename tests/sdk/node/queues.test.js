/** A queue that is full, and a toll-free number that serves Canada. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { start, refused, usNumber } = require("./harness");

// A long code sends a segment in a hundred seconds and holds two more.
const world = start(test, "long_code_by_country = { US = 0.01 }\n[limits.queue_seconds]\nlong_code = 200\n");

test("a full queue refuses its sender and fails its service", async () => {
  const account = await world.account();
  const number = await account.number();
  const service = await account.service([number]);
  const { messages } = account.client;
  const message = { to: usNumber(), from: number.phoneNumber, body: "hello" };
  await account.settled(await messages.create(message));
  for (let n = 0; n < 2; n++) assert.equal((await messages.create(message)).status, "queued");
  await refused(21611, 429, messages.create(message));
  const failed = await account.sent(service, { status: "failed" });
  assert.equal(failed.errorCode, 30001);
  const { candidates } = await account.ours("get", `Explain/${failed.sid}`);
  assert.deepEqual(candidates.map(({ rule }) => rule), ["queue_full"]);
});

test("a toll-free number may serve Canada", async () => {
  const account = await world.account();
  const uri = `https://api.twilio.com/2010-04-01/Accounts/${account.sid}/IncomingPhoneNumbers.json`;
  const create = (IsoCountry) =>
    account.client.request({ method: "post", uri, data: { PhoneNumber: "+18885550171", IsoCountry } });
  assert.equal((await create("GB")).statusCode, 400);
  assert.equal((await create("CA")).statusCode, 201);
  const [number] = await account.client.incomingPhoneNumbers.list();
  const service = await account.service([await account.number(), number]);
  assert.equal((await account.sent(service, { to: "+16045550173" })).from, "+18885550171");
});
