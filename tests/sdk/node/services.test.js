/** Every field of a service, and its five pools: given, changed, cleared, refused. api.md 8.2 and 8.3. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { start, refused, usNumber } = require("./harness");

const POOL_SIZE_MAX = 3;
const world = start(test, `[limits]\npool_size_max = ${POOL_SIZE_MAX}\n`);
const NOBODY = "0".repeat(32);
const URL = "https://example.com/hook?a=b%20c";

/** What a customer may set: the SDK's name, the default, another value. */
const SETTINGS = [
  ["inboundRequestUrl", null, URL],
  ["inboundMethod", "POST", "GET"],
  ["fallbackUrl", null, URL],
  ["fallbackMethod", "POST", "GET"],
  ["statusCallback", null, `${URL}#rc=2`],
  ["stickySender", true, false],
  ["mmsConverter", true, false],
  ["smartEncoding", true, false],
  ["scanMessageContent", "inherit", "disable"],
  ["fallbackToLongCode", false, true],
  ["areaCodeGeomatch", true, false],
  ["validityPeriod", 36000, 60],
  ["synchronousValidation", false, true],
  ["usecase", "undeclared", "marketing"],
  ["useInboundWebhookOnNumber", true, false],
];
const DEFAULTS = Object.fromEntries(SETTINGS.map(([name, value]) => [name, value]));
const OTHERS = Object.fromEntries(SETTINGS.map(([name, , value]) => [name, value]));
const shown = (service) => Object.fromEntries(SETTINGS.map(([name]) => [name, service[name]]));

test("every setting is kept as it was created", async () => {
  const { client } = await world.account();
  const { services } = client.messaging.v1;
  const plain = await services.create({ friendlyName: "plain" });
  assert.deepEqual(shown(plain), DEFAULTS);
  const created = await services.create({ friendlyName: "all else", ...OTHERS });
  assert.deepEqual(shown(created), OTHERS);
  assert.deepEqual(shown(await services(created.sid).fetch()), OTHERS);
  const listed = await services.list();
  assert.deepEqual(listed.map(shown), [OTHERS, DEFAULTS]);
  assert.equal(Object.keys(created.links).length, 8);
});

test("a setting is changed alone and cleared", async () => {
  const { client } = await world.account();
  const { services } = client.messaging.v1;
  const { sid } = await services.create({ friendlyName: "test" });
  for (const [name, , other] of SETTINGS) {
    assert.deepEqual(shown(await services(sid).update({ [name]: other })), { ...DEFAULTS, [name]: other });
    const renamed = await services(sid).update({ friendlyName: name });
    assert.equal(renamed[name], other, "what is not named stays");
    assert.deepEqual(shown(await services(sid).update({ [name]: "" })), DEFAULTS, name);
  }
});

const BAD_SETTINGS = [
  ["inboundRequestUrl", "nowhere", 21402],
  ["inboundMethod", "PUT", 21403],
  ["fallbackUrl", "ftp://example.com", 21402],
  ["fallbackMethod", "DELETE", 21403],
  ["statusCallback", "http://my_host/", 21609],
  ["stickySender", "yes", 20001],
  ["scanMessageContent", "maybe", 20001],
  ["validityPeriod", 0, 90007],
  ["validityPeriod", 36001, 90007],
  ["usecase", "spam", 21713],
  ["friendlyName", "x".repeat(65), 20002],
];

test("a bad setting is refused and changes nothing", async () => {
  const { client } = await world.account();
  const { services } = client.messaging.v1;
  const { sid } = await services.create({ friendlyName: "test" });
  for (const [name, value, code] of BAD_SETTINGS) {
    const bad = { friendlyName: "bad", [name]: value };
    await refused(code, 400, services.create(bad));
    await refused(code, 400, services(sid).update(bad));
  }
  const [only, ...others] = await services.list();
  assert.deepEqual([only.friendlyName, shown(only), others], ["test", DEFAULTS, []]);
});

test("the console's switch", async () => {
  const account = await world.account();
  const name = `Services/${(await account.service()).sid}`;
  assert.equal((await account.ours("get", name)).sender_id_prereg_alert, false);
  for (const [given, isOn] of [["true", true], ["false", false], ["true", true], ["", false]]) {
    const data = { SenderIdPreregAlert: given };
    assert.equal((await account.ours("post", name, { data })).sender_id_prereg_alert, isOn);
    assert.equal((await account.ours("get", name)).sender_id_prereg_alert, isOn);
  }
  const data = { SenderIdPreregAlert: "yes" };
  assert.equal((await account.ours("post", name, { data, status: 400 })).code, 20001);
});

/** The SDK's name, who joins, what the entry shows. */
const POOLS = [
  [
    "phoneNumbers",
    async (account) => ({ phoneNumberSid: (await account.number()).sid }),
    { countryCode: "US", capabilities: ["SMS"] },
  ],
  [
    "shortCodes",
    async (account) => ({ shortCodeSid: (await account.shortCode()).sid }),
    { countryCode: "US", capabilities: ["SMS"] },
  ],
  ["alphaSenders", async () => ({ alphaSender: "ACME" }), { alphaSender: "ACME", capabilities: ["SMS"] }],
  [
    "destinationAlphaSenders",
    async () => ({ alphaSender: "ACME", isoCountryCode: "GB" }),
    { alphaSender: "ACME", isoCountryCode: "GB", capabilities: ["SMS"] },
  ],
  [
    "channelSenders",
    async (account) => ({ sid: (await account.whatsapp(usNumber())).sid }),
    { senderType: "WhatsApp", countryCode: "US" },
  ],
];

for (const [name, make, expected] of POOLS) {
  test(`${name}: joins, listed, fetched, refused twice, leaves`, async () => {
    const account = await world.account();
    const service = await account.service();
    const pool = service[name];
    const joins = await make(account);
    const member = await pool.create(joins);
    const [listed, ...others] = await pool.list();
    assert.deepEqual(others, []);
    for (const read of [member, listed, await pool(member.sid).fetch()]) {
      assert.equal(read.sid, member.sid);
      assert.equal(read.serviceSid ?? read.messagingServiceSid, service.sid);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(read[key], value, key);
    }
    await refused(21710, 409, pool.create(joins));
    const elsewhere = (await account.service())[name];
    await refused(20404, 404, elsewhere(member.sid).fetch());
    if (!joins.alphaSender) await refused(21712, 409, elsewhere.create(joins));
    assert.equal(await pool(member.sid).remove(), true);
    await refused(20404, 404, pool(member.sid).fetch());
    assert.deepEqual(await pool.list(), []);
    await elsewhere.create(joins);
  });
}

const BAD_ENTRIES = [
  ["phoneNumbers", { phoneNumberSid: "PN1" }, 20423, 400],
  ["phoneNumbers", { phoneNumberSid: `PN${NOBODY}` }, 20404, 404],
  ["shortCodes", { shortCodeSid: "SC1" }, 20423, 400],
  ["shortCodes", { shortCodeSid: `SC${NOBODY}` }, 20404, 404],
  ["alphaSenders", { alphaSender: "" }, 21708, 400],
  ["alphaSenders", { alphaSender: "12345" }, 21709, 400],
  ["alphaSenders", { alphaSender: "TwelveLetter" }, 21709, 400],
  ["destinationAlphaSenders", { alphaSender: "A!" }, 21709, 400],
  ["destinationAlphaSenders", { alphaSender: "ACME", isoCountryCode: "UK" }, 20001, 400],
  ["channelSenders", { sid: "XE1" }, 20423, 400],
  ["channelSenders", { sid: `XE${NOBODY}` }, 20404, 404],
];

test("a bad entry is refused", async () => {
  const service = await (await world.account()).service();
  for (const [name, joins, code, status] of BAD_ENTRIES) {
    await refused(code, status, service[name].create(joins));
  }
});

test("a full pool, and a number that can't send", async () => {
  const account = await world.account();
  const numbers = [];
  for (let n = 0; n <= POOL_SIZE_MAX; n++) numbers.push(await account.number());
  const last = numbers.pop();
  const service = await account.service(numbers);
  await refused(21714, 412, service.phoneNumbers.create({ phoneNumberSid: last.sid }));
  await service.phoneNumbers(numbers[0].sid).remove();
  await account.enabled(last, { SmsEnabled: "false" });
  await refused(21715, 400, service.phoneNumbers.create({ phoneNumberSid: last.sid }));
  await account.enabled(last, { MmsEnabled: "true" });
  const member = await service.phoneNumbers.create({ phoneNumberSid: last.sid });
  assert.deepEqual(member.capabilities, ["MMS"]);
});

test("destination alpha senders are filtered by country", async () => {
  const { destinationAlphaSenders: pool } = await (await world.account()).service();
  const general = await pool.create({ alphaSender: "ACME" });
  const french = await pool.create({ alphaSender: "ACME FR", isoCountryCode: "fr" });
  const sids = async (filter) => (await pool.list(filter)).map(({ sid }) => sid);
  assert.deepEqual(await sids({}), [french.sid, general.sid]);
  assert.deepEqual(await sids({ isoCountryCode: "FR" }), [french.sid]);
  assert.deepEqual(await sids({ isoCountryCode: "DE" }), []);
});
