/** `Idempotency-Key`: a create that is repeated gets the first answer. api.md 4. */
"use strict";

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const test = require("node:test");
const twilio = require("twilio");
const { start, refused, usNumber } = require("./harness");

const world = start(test);
const KEY = "Idempotency-Key";
const TOKEN = "I-Twilio-Idempotency-Token";

/** The same account, all of whose requests carry a key; `answers` keeps what was told. */
function withKey({ sid, authToken, client }, header = KEY, key = randomUUID()) {
  const answers = [];
  const httpClient = {
    async request(request) {
      const headers = { ...request.headers, [header]: key };
      const answer = await client.httpClient.request({ ...request, headers });
      answers.push(answer);
      return answer;
    },
  };
  return Object.assign(twilio(sid, authToken, { httpClient }), { answers });
}

async function sameTwice(account, create, header) {
  const client = withKey(account, header);
  const [first, second] = [await create(client), await create(client)];
  const [answer, again] = client.answers;
  assert.deepEqual(again.body, answer.body);
  assert.equal(again.statusCode, answer.statusCode);
  assert.equal(answer.headers["idempotent-replayed"], undefined);
  assert.equal(again.headers["idempotent-replayed"], "true");
  assert.equal(first.sid, second.sid);
}

for (const header of [KEY, TOKEN]) {
  test(`a message is sent once, by ${header}`, async () => {
    const account = await world.account();
    const { phoneNumber: from } = await account.number();
    const service = await account.service([await account.number()]);
    for (const sender of [{ from }, { messagingServiceSid: service.sid }]) {
      const to = usNumber();
      await sameTwice(account, (client) => client.messages.create({ to, body: "once", ...sender }), header);
      assert.equal((await account.client.messages.list({ to })).length, 1);
    }
  });
}

test("everything is created once", async () => {
  const account = await world.account();
  const [{ sid: phoneNumberSid }, { sid: shortCodeSid }] = [await account.number(), await account.shortCode()];
  const { sid } = await account.service();
  const [phoneNumber, whatsapp] = [usNumber(), usNumber()];
  const service = (client) => client.messaging.v1.services(sid);
  const bundles = {
    customerProfileBundleSid: "BU" + "1".repeat(32),
    a2PProfileBundleSid: "BU" + "2".repeat(32),
  };
  // Without a key the second would be refused, or be another one.
  for (const create of [
    (client) => client.incomingPhoneNumbers.create({ phoneNumber }),
    (client) => client.newKeys.create({ friendlyName: "once" }),
    (client) => client.messaging.v1.services.create({ friendlyName: "once" }),
    (client) => client.messaging.v1.brandRegistrations.create(bundles),
    (client) => client.messaging.v2.channelsSenders.create({ sender_id: `whatsapp:${whatsapp}` }),
    (client) => service(client).phoneNumbers.create({ phoneNumberSid }),
    (client) => service(client).shortCodes.create({ shortCodeSid }),
    (client) => service(client).alphaSenders.create({ alphaSender: "ACME" }),
    (client) => service(client).destinationAlphaSenders.create({ alphaSender: "ACME", isoCountryCode: "GB" }),
  ]) {
    await sameTwice(account, create);
  }
});

test("a key of another request is refused", async () => {
  const account = await world.account();
  const { phoneNumber: from } = await account.number();
  const client = withKey(account);
  await client.messages.create({ to: usNumber(), from, body: "first" });
  await refused(20409, 409, client.messages.create({ to: usNumber(), from, body: "second" }));
  await refused(20001, 400, withKey(account, KEY, "a b").messaging.v1.services.create({ friendlyName: "no" }));
});

test("what has no class in the SDK goes by its request, which takes headers", async () => {
  const account = await world.account();
  const data = { Sender: "ACME", IsoCountryCode: "AE" };
  const key = randomUUID();
  const post = (fields, status) =>
    account.ours("post", "RegisteredSenders", { data: fields, headers: { [KEY]: key }, status });
  assert.deepEqual(await post(data), await post(data));
  assert.equal((await post({ ...data, Status: "pending" }, 409)).code, 20409);
});
