/** Explanations and dry runs, asked for as a program does beside its SDK, and from a terminal. */
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const test = require("node:test");
const { BINARY, start, eventually, ukNumber, usNumber } = require("./harness");

const world = start(test);

/** A service with senders of every kind, by kind. */
async function crowd() {
  const account = await world.account();
  const numbers = { american: await account.number(), british: await account.number(ukNumber()) };
  const service = await account.service(Object.values(numbers));
  const code = await account.shortCode();
  await service.shortCodes.create({ shortCodeSid: code.sid });
  await service.alphaSenders.create({ alphaSender: "ACME" });
  await service.destinationAlphaSenders.create({ alphaSender: "ACME DE", isoCountryCode: "DE" });
  const whatsapp = await account.whatsapp(usNumber());
  await service.channelSenders.create({ sid: whatsapp.sid });
  const senders = {
    american: numbers.american.phoneNumber,
    british: numbers.british.phoneNumber,
    code: code.short_code,
    alpha: "ACME",
    german: "ACME DE",
    whatsapp: whatsapp.senderId,
  };
  return { account, service, senders };
}

/** To, the winner and its rule, and the rules of some losers. */
const CASES = [
  ["+14155558199", "code", "short_code", { american: "short_code_preferred", alpha: "alpha_not_supported" }],
  ["+4915110008199", "german", "destination_alpha", { alpha: "destination_alpha_preferred" }],
  ["+33700008199", "alpha", "alpha_sender", { german: "alpha_of_other_country", british: "alpha_preferred" }],
  ["+16045558199", "american", "us_fallback", { british: "other_country", whatsapp: "other_channel" }],
  ["whatsapp:+5511999998199", "whatsapp", "us_fallback", { code: "other_channel", alpha: "other_channel" }],
];

test("every candidate has the rule that decided it, before and after", async () => {
  const { account, service, senders } = await crowd();
  for (const [to, winner, rule, losers] of CASES) {
    const data = { To: to, MessagingServiceSid: service.sid };
    const asked = await account.ours("post", "Explain", { data });
    assert.deepEqual([asked.message_sid, asked.from, asked.decision.rule], [null, senders[winner], rule]);
    assert.equal(asked.candidates.length, Object.keys(senders).length);
    const rules = Object.fromEntries(asked.candidates.map((it) => [it.sender, it.rule]));
    for (const [kind, lost] of Object.entries(losers)) assert.equal(rules[senders[kind]], lost, kind);
    const run = await account.ours("post", "DryRun", { data: { ...data, Body: "hello" } });
    assert.deepEqual([run.would_be, run.from, run.num_segments], ["queued", senders[winner], 1]);
    assert.deepEqual(run.candidates, asked.candidates);
    assert.equal((await account.client.messages.list({ to })).length, 0, "nothing was sent");

    const { sid, from } = await account.sent(service, { to });
    assert.equal(from, senders[winner]);
    const stored = await account.ours("get", `Explain/${sid}`);
    assert.deepEqual([stored.message_sid, stored.candidates], [sid, asked.candidates]);
    assert.deepEqual([stored.attempts, stored.possible_duplicate], [1, false]);
    assert.deepEqual(run.route, [stored.carrier]);
  }
});

test("a network may be supposed", async () => {
  const account = await world.account();
  const number = await account.number();
  const service = await account.service([number]);
  const code = await account.shortCode(undefined, "US", { ServedNetworks: ["310-410", "311"] });
  await service.shortCodes.create({ shortCodeSid: code.sid });
  const table = [["310-410", code.short_code], ["311-480", code.short_code], ["310-260", number.phoneNumber]];
  for (const [RecipientNetwork, from] of table) {
    const data = { To: usNumber(), MessagingServiceSid: service.sid, RecipientNetwork };
    const asked = await account.ours("post", "Explain", { data });
    assert.deepEqual([asked.from, asked.decision.network], [from, RecipientNetwork]);
    assert.equal(asked.recipient_network.source, "question");
  }
  // Unknown counts as served.
  assert.equal((await account.sent(service)).from, code.short_code);
});

test("media needs a number that can carry it, or the converter", async () => {
  const account = await world.account();
  const number = await account.number();
  const service = await account.service([number]);
  const data = { To: usNumber(), MessagingServiceSid: service.sid, MediaUrl: "https://example.com/a.png" };
  const decision = async () => (await account.ours("post", "Explain", { data })).decision;
  const shown = async () => [(await decision()).error_code, (await decision()).is_converted_to_sms];
  // No carrier takes media yet, and no links are made.
  assert.deepEqual(await shown(), [21612, true]);
  await service.update({ mmsConverter: false });
  assert.deepEqual(await shown(), [21703, false]);
  await account.enabled(number, { MmsEnabled: "true" });
  assert.deepEqual(await shown(), [21612, false]);
});

test("a second toll-free number is warned of, never refused", async () => {
  const account = await world.account();
  const service = await account.service([await account.number("+18885558101")]);
  const data = { To: usNumber(), MessagingServiceSid: service.sid, Body: "hello" };
  assert.deepEqual((await account.ours("post", "DryRun", { data })).warnings, []);
  const second = await account.number("+18775558102");
  await service.phoneNumbers.create({ phoneNumberSid: second.sid });
  const [warning] = (await account.ours("post", "DryRun", { data })).warnings;
  assert.match(warning.message, /2 toll-free numbers/);
  await account.sent(service);
});

test("sticky senders are listed, shown and forgotten", async () => {
  const account = await world.account();
  const service = await account.service([await account.number(), await account.number()]);
  const known = {};
  for (let n = 0; n < 3; n++) {
    const { to, from } = await account.sent(service);
    known[to] = from;
  }
  const params = { MessagingServiceSid: service.sid };
  const { sticky_senders: listed } = await account.ours("get", "StickySenders", { params });
  assert.deepEqual(Object.fromEntries(listed.map(({ to, from }) => [to, from])), known);
  const [to] = Object.keys(known);
  const name = `StickySenders/${service.sid}/${encodeURIComponent(to)}`;
  await account.ours("delete", name, { status: 204 });
  assert.equal((await account.ours("get", name, { status: 404 })).code, 20404);
});

test("registered senders keep the alert quiet", async () => {
  const account = await world.account();
  const service = await account.service();
  await service.alphaSenders.create({ alphaSender: "ACME" });
  await account.ours("post", `Services/${service.sid}`, { data: { SenderIdPreregAlert: "true" } });
  const to = "+971500008199";
  const run = async () => {
    const data = { To: to, MessagingServiceSid: service.sid, Body: "hello" };
    return (await account.ours("post", "DryRun", { data })).warnings.map(({ code }) => code);
  };
  const entry = { Sender: "ACME", IsoCountryCode: "AE" };
  assert.deepEqual(await run(), [30018]);
  for (const [more, warned] of [
    [{ Status: "pending" }, [30018]],
    [{ Status: "registered", ValidUntil: "2020-01-01" }, [30018]],
    [{ Status: "registered", ValidUntil: "2100-01-01" }, []],
  ]) {
    await account.ours("post", "RegisteredSenders", { data: { ...entry, ...more } });
    assert.deepEqual(await run(), warned);
  }
  const { registered_senders: entries } = await account.ours("get", "RegisteredSenders");
  assert.equal(entries.length, 1);
  await account.ours("delete", `RegisteredSenders/${entries[0].sid}`, { status: 204 });
  const { sid } = await account.sent(service, { to });
  const alerts = () => account.client.monitor.v1.alerts.list();
  const [alert] = await eventually(alerts, (found) => found.length > 0, "an alert");
  assert.deepEqual([alert.errorCode, alert.resourceSid], ["30018", sid]);
});

function explain(account, ...words) {
  const env = {
    ...process.env,
    POSTRIDER_URL: world.url,
    TWILIO_ACCOUNT_SID: account.sid,
    TWILIO_AUTH_TOKEN: account.authToken,
  };
  return new Promise((resolve, reject) => {
    execFile(BINARY, ["explain", ...words], { env }, (error, out, err) =>
      error ? reject(new Error(err)) : resolve(out),
    );
  });
}

test("the command line explains what the SDK sent, and what it might", async () => {
  const { account, service, senders } = await crowd();
  const to = "+33700008198";
  const { sid } = await account.sent(service, { to });
  const stored = await account.ours("get", `Explain/${sid}`);
  assert.deepEqual(JSON.parse(await explain(account, sid, "--json")), stored);
  const [first, summary, ...lines] = (await explain(account, sid)).split("\n");
  assert.equal(first, `${sid}  ACME → ${to}`);
  assert.equal(summary.trim(), stored.decision.summary);
  for (const { sender, rule, reason } of stored.candidates) {
    const told = lines.find((line) => line.includes(`  ${sender}  `));
    assert.ok(told?.includes(rule) && told.endsWith(reason), `${sender}: ${told}`);
  }

  const data = { To: to, MessagingServiceSid: service.sid, From: senders.british };
  const asked = await account.ours("post", "Explain", { data });
  const question = ["--to", to, "--service", service.sid, "--from", senders.british];
  assert.deepEqual(JSON.parse(await explain(account, ...question, "--json")), asked);
  assert.ok((await explain(account, ...question)).startsWith(`would go  ${senders.british} → ${to}\n`));
  await assert.rejects(explain(account, `SM${"0".repeat(32)}`), /20404/);
});
