/** Three pages in both styles, by both ways of pointing the SDK; refusals as exceptions. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { start, byBaseUrl, byHttpClient, refused, usNumber } = require("./harness");

const world = start(test);
const ROWS = 7;
const pageSize = 3;

for (const way of [byBaseUrl, byHttpClient]) {
  test(`three pages ${way.name}`, async () => {
    const { client } = await world.account(way);
    const { phoneNumber: from } = await client.incomingPhoneNumbers.create({ phoneNumber: usNumber() });
    const services = [];
    for (let row = 0; row < ROWS; row++) {
      await client.messages.create({ to: usNumber(), from, body: `row ${row}` });
      services.push((await client.messaging.v1.services.create({ friendlyName: `row ${row}` })).sid);
    }

    const bodies = (await client.messages.list({ pageSize })).map((message) => message.body);
    assert.deepEqual(bodies, [6, 5, 4, 3, 2, 1, 0].map((row) => `row ${row}`));
    const listed = (await client.messaging.v1.services.list({ pageSize })).map((service) => service.sid);
    assert.deepEqual(listed.sort(), services.sort());

    for (const rows of [client.messages, client.messaging.v1.services]) {
      const first = await rows.page({ pageSize });
      const second = await first.nextPage();
      const third = await second.nextPage();
      assert.deepEqual([first, second, third].map((page) => page.instances.length), [3, 3, 1]);
      const back = await third.previousPage();
      assert.deepEqual(
        back.instances.map((row) => row.sid),
        second.instances.map((row) => row.sid),
      );
      assert.equal(await third.nextPage(), undefined);
    }
  });
}

test("refusals are exceptions with code and status", async () => {
  const { sid, client } = await world.account();
  const { phoneNumber: from, sid: phoneNumberSid } = await client.incomingPhoneNumbers.create({
    phoneNumber: usNumber(),
  });
  const { services } = client.messaging.v1;
  const { sid: full } = await services.create({ friendlyName: "full" });
  const { sid: empty } = await services.create({ friendlyName: "empty" });
  await services(full).phoneNumbers.create({ phoneNumberSid });
  const good = { to: usNumber(), from, body: "hello" };
  const stranger = byHttpClient(world.url, sid, "0".repeat(32));
  const sendAt = new Date(Date.now() + 3_600_000);
  const table = [
    [21211, 400, () => client.messages.create({ ...good, to: "+1415" })],
    [21604, 400, () => client.messages.create({ ...good, to: "" })],
    [21603, 400, () => client.messages.create({ to: good.to, body: "hello" })],
    [21602, 400, () => client.messages.create({ to: good.to, from })],
    [21617, 400, () => client.messages.create({ ...good, body: "a".repeat(1601) })],
    [21624, 400, () => client.messages.create({ ...good, validityPeriod: 36001 })],
    [35118, 400, () => client.messages.create({ ...good, scheduleType: "fixed", sendAt })],
    [21704, 400, () => client.messages.create({ to: good.to, body: "x", messagingServiceSid: empty })],
    [21710, 409, () => services(full).phoneNumbers.create({ phoneNumberSid })],
    [21712, 409, () => services(empty).phoneNumbers.create({ phoneNumberSid })],
    [20404, 404, () => client.messages("SM" + "0".repeat(32)).fetch()],
    [20404, 404, () => services("MG" + "0".repeat(32)).fetch()],
    [20003, 401, () => stranger.messages.list()],
  ];
  for (const [code, status, call] of table) await refused(code, status, call());
});
