/** A handset says STOP, and what users said elsewhere is told through Consents. */
"use strict";

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const test = require("node:test");
const { eventually, start, usNumber } = require("./harness");

const world = start(test);

const consent = (contact, sender, status, more = {}) => ({
  contact_id: contact,
  correlation_id: randomBytes(16).toString("hex"),
  sender_id: sender,
  status,
  source: "website",
  ...more,
});

async function told(account, ...items) {
  const answer = await account.client.accounts.v1.bulkConsents.create({ items });
  assert.deepEqual(
    answer.items.map(({ correlation_id: id }) => id),
    items.map(({ correlation_id: id }) => id),
  );
  return answer.items.map(({ error_code: code, error_messages: messages }) => [code, messages]);
}

/** Whether a message with this `from` is refused because the user opted out. */
async function blocked(account, to, from) {
  try {
    await account.client.messages.create({ to, from, body: "Sale!" });
    return false;
  } catch (error) {
    assert.deepEqual([error.code, error.status], [21610, 400]);
    return true;
  }
}

test("an opt-in by Consents takes back a STOP", async () => {
  const account = await world.account();
  const number = await account.number();
  const service = await account.service([number]);
  const handset = usNumber();
  const data = { To: number.phoneNumber, Body: "STOP" };
  await account.ours("post", `Simulator/Handsets/${encodeURIComponent(handset)}`, { data });
  const isOut = () => blocked(account, handset, number.phoneNumber);
  await eventually(isOut, Boolean, "the opt-out");
  assert.deepEqual(await told(account, consent(handset, service.sid, "opt-in")), [[0, []]]);
  assert.equal(await isOut(), false);
  const params = { ContactId: handset };
  const { events } = await account.ours("get", "OptOuts/History", { params });
  assert.deepEqual(
    events.map(({ status, source, keyword }) => [status, source, keyword]),
    [
      ["opt-in", "website", null],
      ["opt-out", "opt-out-message", "STOP"],
    ],
  );
});

test("each item is answered for itself", async () => {
  const account = await world.account();
  const service = await account.service([await account.number()]);
  const user = usNumber();
  const answers = await told(
    account,
    consent("12", service.sid, "opt-out"),
    consent(user, service.sid, "opt-out", { date_of_consent: "soon" }),
    consent(user, service.sid, "opt-out", { date_of_consent: "2026-11-24T09:05:00Z" }),
  );
  assert.deepEqual(answers, [
    [30646, ["INVALID_CONTACT_ID"]],
    [30646, ["INVALID_DATE_OF_CONSENT"]],
    [0, []],
  ]);
  const items = Array.from({ length: 26 }, () => consent(user, service.sid, "opt-in"));
  const create = account.client.accounts.v1.bulkConsents.create({ items });
  await assert.rejects(create, { code: 20001, status: 400 });
});
