/** Sender selection as sending shows it: what needs more than one message. sending.md 9. */
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const { ROOT, start, eventually, refused, shortCode, ukNumber, usNumber, usNumberIn } = require("./harness");

const world = start(test);
const phones = (numbers) => numbers.map(({ phoneNumber }) => phoneNumber);

test("a recipient keeps its sender while it is in the pool", async () => {
  const account = await world.account();
  const numbers = [await account.number(), await account.number()];
  const service = await account.service(numbers);
  const to = usNumber();
  const { from: first } = await account.sent(service, { to });
  for (let n = 0; n < 3; n++) assert.equal((await account.sent(service, { to })).from, first);
  assert.equal(await account.stickySender(service, to), first);

  const mine = numbers.find(({ phoneNumber }) => phoneNumber === first);
  const [{ phoneNumber: other }] = numbers.filter((number) => number !== mine);
  await service.phoneNumbers(mine.sid).remove();
  assert.equal((await account.sent(service, { to })).from, other);
  await service.phoneNumbers.create({ phoneNumberSid: mine.sid });
  assert.equal((await account.sent(service, { to })).from, other, "no way back");
});

test("sticky sender is switched at once and forgets nothing", async () => {
  const account = await world.account();
  const service = await account.service([await account.number(), await account.number()]);
  const to = usNumber();
  const { from: known } = await account.sent(service, { to });
  for (const stickySender of [false, true, false, true]) {
    await service.update({ stickySender });
    const senders = new Set();
    for (let n = 0; n < 3; n++) senders.add((await account.sent(service, { to })).from);
    if (stickySender) assert.deepEqual([...senders], [known]);
    else assert.equal(senders.size, 2, "they take turns");
  }
});

test("who is known by a foreign number moves when one of the country joins", async () => {
  const account = await world.account();
  const foreign = await account.number();
  const service = await account.service([foreign]);
  const to = ukNumber();
  const expect = async (sender) => assert.equal((await account.sent(service, { to })).from, sender);
  await expect(foreign.phoneNumber);
  await service.alphaSenders.create({ alphaSender: "ACME" });
  await expect(foreign.phoneNumber); // an alpha sender breaks nothing
  const code = await account.shortCode(shortCode(), "GB");
  await service.shortCodes.create({ shortCodeSid: code.sid });
  await expect(code.short_code);
});

test("a named sender is used and changes no memory", async () => {
  const account = await world.account();
  const numbers = [await account.number(), await account.number()];
  const outside = await account.number();
  const service = await account.service(numbers);
  const to = usNumber();
  const { from: known } = await account.sent(service, { to });
  const [other] = phones(numbers).filter((phone) => phone !== known);
  assert.equal((await account.sent(service, { to, from: other })).from, other);
  assert.equal(await account.stickySender(service, to), known);
  await refused(21711, 400, account.sent(service, { to, from: outside.phoneNumber }));
});

test("recipients are spread over equal senders", async () => {
  const account = await world.account();
  const numbers = [];
  for (let n = 0; n < 4; n++) numbers.push(await account.number());
  const service = await account.service(numbers);
  const counts = Object.fromEntries(phones(numbers).map((phone) => [phone, 0]));
  const messages = await Promise.all(Array.from({ length: 18 }, () => account.sent(service)));
  for (const { from } of messages) counts[from]++;
  const all = Object.values(counts);
  assert.ok(Math.max(...all) - Math.min(...all) <= 1, JSON.stringify(counts));
});

test("without memory the idle sender is next", async () => {
  const account = await world.account();
  const numbers = [];
  for (let n = 0; n < 4; n++) numbers.push(await account.enabled(await account.number(), { Pace: "1" }));
  const service = await account.service(numbers, { stickySender: false });
  const senders = [];
  for (let n = 0; n < 4; n++) {
    const message = { to: usNumber(), messagingServiceSid: service.sid, body: "hello" };
    const { sid } = await account.client.messages.create(message);
    senders.push((await account.client.messages(sid).fetch()).from);
  }
  assert.deepEqual(senders, phones(numbers));
});

test("area-code geomatch is switched at once", async () => {
  const account = await world.account();
  const numbers = [await account.number("+12125557001"), await account.number("+16285557002")];
  const [, near] = phones(numbers);
  const service = await account.service(numbers, { stickySender: false });
  for (const [areaCodeGeomatch, expected] of [[true, [near]], [false, phones(numbers)], [true, [near]]]) {
    await service.update({ areaCodeGeomatch });
    const senders = new Set();
    for (let n = 0; n < 3; n++) senders.add((await account.sent(service)).from);
    assert.deepEqual([...senders].sort(), expected.sort());
  }
});

/** Area codes that share a territory, by group, where there are two with numbers in use. */
function overlayGroups() {
  const lines = fs.readFileSync(path.join(ROOT, "crates/core/data/nanp_overlays.csv"), "utf8").trim().split("\n");
  const [titles, ...rows] = lines.map((line) => line.split(","));
  const column = (row, title) => row[titles.indexOf(title)];
  const groups = {};
  for (const row of rows) {
    for (const group of column(row, "overlay_group").split(";").filter(Boolean)) {
      (groups[group] ??= []).push(column(row, "area_code"));
    }
  }
  return Object.values(groups).filter((codes) => codes.length > 1);
}

test("every overlay group is one territory", async () => {
  const account = await world.account();
  // Of the same countries, nowhere near, and first: these would win any tie.
  const decoys = [await account.number(usNumberIn("907")), await account.number(usNumberIn("867"))];
  const service = await account.service(decoys, { stickySender: false });
  const groups = overlayGroups();
  assert.ok(groups.length > 50);
  for (const [own, ...others] of groups) {
    const number = await account.number(usNumberIn(own));
    await service.phoneNumbers.create({ phoneNumberSid: number.sid });
    for (const areaCode of others) {
      const data = { To: usNumberIn(areaCode), MessagingServiceSid: service.sid };
      const { from, decision } = await account.ours("post", "Explain", { data });
      assert.deepEqual([from, decision.rule], [number.phoneNumber, "area_code_overlay"], areaCode);
    }
    await service.phoneNumbers(number.sid).remove();
  }
});

test("a number that is not active is passed over and refused", async () => {
  const account = await world.account();
  const [first, second] = [await account.number(), await account.number()];
  const service = await account.service([first, second]);
  const to = usNumber();
  for (const status of ["suspended", "porting", "pending"]) {
    await account.enabled(first, { Status: status });
    assert.equal((await account.client.incomingPhoneNumbers(first.sid).fetch()).status, status);
    const { sid, from } = await account.sent(service, { to });
    assert.equal(from, second.phoneNumber);
    const { candidates } = await account.ours("get", `Explain/${sid}`);
    assert.deepEqual([candidates[1].sender, candidates[1].rule], [first.phoneNumber, status]);
    const message = { to: usNumber(), from: first.phoneNumber, body: "hello" };
    await refused(21606, 400, account.client.messages.create(message));
  }
  await account.enabled(second, { Status: "suspended" });
  assert.equal((await account.sent(service, { to, status: "failed" })).errorCode, 21703);
  await account.enabled(first, { Status: "active" });
  assert.equal((await account.sent(service, { to })).from, first.phoneNumber);
});

test("a short code may wait for its registration", async () => {
  const account = await world.account();
  const number = await account.number();
  const service = await account.service([number]);
  const code = await account.shortCode(undefined, "US", { Status: "pending" });
  await service.shortCodes.create({ shortCodeSid: code.sid });
  assert.equal((await account.sent(service)).from, number.phoneNumber);
  await account.ours("post", `ShortCodes/${code.sid}`, { data: { Status: "active" } });
  assert.equal((await account.sent(service)).from, code.short_code);
});

test("a handset that texts first chooses", async () => {
  const account = await world.account();
  const numbers = [await account.number(), await account.number()];
  const [, second] = phones(numbers);
  const service = await account.service(numbers);
  const to = usNumber();
  await account.handsetTexts(to, second);
  await eventually(() => account.stickySender(service, to), Boolean, "a known sender");
  assert.equal((await account.sent(service, { to })).from, second);
});

test("smart encoding acts on the next message", async () => {
  const account = await world.account();
  const service = await account.service([await account.number()]);
  const body = "\u2013".repeat(71);
  for (const [smartEncoding, segments] of [[true, "1"], [false, "2"], [true, "1"]]) {
    await service.update({ smartEncoding });
    assert.equal((await account.sent(service, { body })).numSegments, segments);
  }
});
