/** Every resource of the spine: created, listed, fetched, changed, deleted. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { start, byHttpClient, delivered, eventually, refused, usNumber } = require("./harness");

const world = start(test);

test("accounts", async () => {
  const main = byHttpClient(world.url, world.accountSid, world.authToken);
  const accounts = main.api.v2010.accounts;
  const { sid, authToken, ownerAccountSid } = await accounts.create({ friendlyName: "shop" });
  assert.match(sid, /^AC[0-9a-f]{32}$/);
  assert.match(authToken, /^[0-9a-f]{32}$/);
  assert.equal(ownerAccountSid, world.accountSid);
  assert.equal((await accounts(sid).update({ friendlyName: "a Node shop" })).friendlyName, "a Node shop");
  const listed = await accounts.list({ friendlyName: "a Node shop" });
  assert.deepEqual(listed.map((account) => account.sid), [sid]);
  assert.equal((await accounts(sid).update({ status: "closed" })).status, "closed");
  assert.equal((await accounts(sid).fetch()).status, "closed");
});

test("keys", async () => {
  const { sid, client } = await world.account();
  const key = await client.newKeys.create({ friendlyName: "ci" });
  assert.match(key.secret, /^[A-Za-z0-9]{32}$/);
  assert.deepEqual((await client.keys.list()).map((listed) => listed.sid), [key.sid]);
  assert.equal((await client.keys(key.sid).fetch()).friendlyName, "ci");
  assert.equal((await client.keys(key.sid).update({ friendlyName: "cd" })).friendlyName, "cd");

  const byKey = byHttpClient(world.url, key.sid, key.secret, { accountSid: sid });
  assert.deepEqual(await byKey.messages.list(), []);
  assert.equal(await client.keys(key.sid).remove(), true);
  await refused(20003, 401, byKey.messages.list());
});

test("numbers", async () => {
  const { client } = await world.account();
  const phoneNumber = usNumber();
  const numbers = client.incomingPhoneNumbers;
  const { sid, capabilities } = await numbers.create({ phoneNumber, smsUrl: "https://example.com/in" });
  assert.equal(capabilities.sms, true);
  assert.deepEqual((await numbers.list({ phoneNumber })).map((number) => number.sid), [sid]);
  assert.equal((await numbers(sid).update({ friendlyName: "desk" })).friendlyName, "desk");
  assert.equal((await numbers(sid).fetch()).smsUrl, "https://example.com/in");
  assert.equal(await numbers(sid).remove(), true);
  await refused(20404, 404, numbers(sid).fetch());
});

test("short codes", async () => {
  const { sid: accountSid, authToken, client } = await world.account();
  const form = { ShortCode: "60001", IsoCountry: "US", FriendlyName: "votes" };
  const { sid } = await world.extension("ShortCodes", form, accountSid, authToken);
  assert.deepEqual((await client.shortCodes.list()).map((code) => code.sid), [sid]);
  assert.equal((await client.shortCodes(sid).update({ friendlyName: "news" })).friendlyName, "news");
  assert.equal((await client.shortCodes(sid).fetch()).shortCode, "60001");
});

test("services and their pools", async () => {
  const { sid: accountSid, authToken, client } = await world.account();
  const services = client.messaging.v1.services;
  const service = await services.create({ friendlyName: "alerts", stickySender: false });
  assert.equal(service.stickySender, false);
  assert.equal(service.areaCodeGeomatch, true);
  assert.deepEqual((await services.list()).map((listed) => listed.sid), [service.sid]);
  assert.equal((await services(service.sid).update({ validityPeriod: 600 })).validityPeriod, 600);

  const number = await client.incomingPhoneNumbers.create({ phoneNumber: usNumber() });
  const form = { ShortCode: "60002", IsoCountry: "US", FriendlyName: "votes" };
  const shortCode = await world.extension("ShortCodes", form, accountSid, authToken);
  const pools = [
    ["phoneNumbers", { phoneNumberSid: number.sid }],
    ["shortCodes", { shortCodeSid: shortCode.sid }],
    ["alphaSenders", { alphaSender: "ACME" }],
  ];
  for (const [name, parameters] of pools) {
    const pool = services(service.sid)[name];
    const member = await pool.create(parameters);
    assert.deepEqual((await pool.list()).map((listed) => listed.sid), [member.sid], name);
    assert.equal((await pool(member.sid).fetch()).serviceSid, service.sid, name);
    assert.equal(await pool(member.sid).remove(), true, name);
    await refused(20404, 404, pool(member.sid).fetch());
  }
  assert.equal(await services(service.sid).remove(), true);
  await refused(20404, 404, services(service.sid).fetch());
});

test("WhatsApp senders", async () => {
  const { client } = await world.account();
  const senders = client.messaging.v2.channelsSenders;
  const number = usNumber();
  const sender = await senders.create({ sender_id: `whatsapp:${number}`, profile: { name: "Acme" } });
  assert.deepEqual([sender.status, sender.senderId], ["ONLINE", `whatsapp:${number}`]);
  assert.deepEqual((await senders.list({ channel: "whatsapp" })).map((listed) => listed.sid), [sender.sid]);
  const changed = await senders(sender.sid).update({ profile: { about: "About us" } });
  assert.deepEqual([changed.profile.about, changed.profile.name], ["About us", "Acme"]);
  assert.equal((await senders(sender.sid).fetch()).profile.about, "About us");

  const service = await client.messaging.v1.services.create({ friendlyName: "chat" });
  const pool = client.messaging.v1.services(service.sid).channelSenders;
  const member = await pool.create({ sid: sender.sid });
  assert.deepEqual([member.sender, member.senderType], [sender.senderId, "WhatsApp"]);
  assert.deepEqual((await pool.list()).map((listed) => listed.sid), [sender.sid]);
  const to = `whatsapp:${usNumber()}`;
  const message = await client.messages.create({ to, messagingServiceSid: service.sid, body: "hello" });
  assert.equal((await delivered(client, message)).from, sender.senderId);
  assert.equal(await pool(sender.sid).remove(), true);
  await refused(20404, 404, pool(sender.sid).fetch());
  assert.equal(await senders(sender.sid).remove(), true);
  await refused(20404, 404, senders(sender.sid).fetch());
});

test("registrations of US traffic", async () => {
  const { client } = await world.account();
  const v1 = client.messaging.v1;
  const brand = await v1.brandRegistrations.create({
    customerProfileBundleSid: "BU" + "1".repeat(32),
    a2PProfileBundleSid: "BU" + "2".repeat(32),
  });
  assert.equal((await v1.brandRegistrations(brand.sid).fetch()).status, "PENDING");
  const service = await v1.services.create({ friendlyName: "offers" });
  const campaigns = v1.services(service.sid).usAppToPerson;
  const campaign = await campaigns.create({
    brandRegistrationSid: brand.sid,
    description: "Send marketing messages about sales to customers who opted in.",
    messageFlow: "End users opt in by visiting www.example.com and adding their number.",
    messageSamples: ["EXPRESS: Denim Days Event is ON", "LAST CHANCE: Book your next flight"],
    usAppToPersonUsecase: "MARKETING",
    hasEmbeddedLinks: true,
    hasEmbeddedPhone: false,
  });
  assert.equal(campaign.campaignStatus, "PENDING");
  assert.deepEqual((await campaigns.list()).map((listed) => listed.sid), [campaign.sid]);
  assert.equal((await campaigns(campaign.sid).fetch()).messageSamples.length, 2);
  assert.equal(await campaigns(campaign.sid).remove(), true);
  const { usecases } = await v1.usecases.fetch();
  assert.ok(usecases.some(({ usecase }) => usecase === "marketing"));
});

test("messages", async () => {
  const { client } = await world.account();
  const { phoneNumber, sid: phoneNumberSid } = await client.incomingPhoneNumbers.create({
    phoneNumber: usNumber(),
  });
  const service = await client.messaging.v1.services.create({ friendlyName: "alerts" });
  await client.messaging.v1.services(service.sid).phoneNumbers.create({ phoneNumberSid });

  const to = usNumber();
  const created = await client.messages.create({ to, from: phoneNumber, body: "hello" });
  assert.deepEqual([created.status, created.numSegments], ["queued", "1"]);
  const message = await delivered(client, created);
  assert.ok(message.dateSent >= message.dateCreated);

  const chosen = await client.messages.create({ to: usNumber(), messagingServiceSid: service.sid, body: "x" });
  assert.deepEqual([chosen.status, chosen.from], ["accepted", null]);
  assert.equal((await delivered(client, chosen)).from, phoneNumber);

  const hour = 3_600_000;
  const before = new Date(message.dateSent.getTime() - hour);
  const later = new Date(message.dateSent.getTime() + hour);
  const filters = [
    [{ to }, 1],
    [{ from: phoneNumber }, 2],
    [{ to: usNumber() }, 0],
    [{ dateSentAfter: before, dateSentBefore: later }, 2],
    [{ dateSentAfter: later }, 0],
    [{ dateSentBefore: before }, 0],
  ];
  for (const [filter, count] of filters) {
    assert.equal((await client.messages.list(filter)).length, count, JSON.stringify(filter));
  }

  assert.equal((await client.messages(message.sid).update({ body: "" })).body, "");
  assert.equal(await client.messages(message.sid).remove(), true);
  await refused(20404, 404, client.messages(message.sid).fetch());

  const scheduled = await client.messages.create({
    to,
    messagingServiceSid: service.sid,
    body: "later",
    scheduleType: "fixed",
    sendAt: new Date(Date.now() + hour),
  });
  assert.equal(scheduled.status, "scheduled");
  const canceled = await client.messages(scheduled.sid).update({ status: "canceled" });
  assert.equal(canceled.status, "canceled");
});

test("alerts", async () => {
  const { sid: accountSid, authToken, client } = await world.account();
  const service = await client.messaging.v1.services.create({ friendlyName: "alerts" });
  const services = client.messaging.v1.services(service.sid);
  await services.alphaSenders.create({ alphaSender: "ACME" });
  await world.extension(`Services/${service.sid}`, { SenderIdPreregAlert: "true" }, accountSid, authToken);
  const message = { to: "+971500000099", messagingServiceSid: service.sid, body: "hello" };
  const { sid } = await client.messages.create(message);
  const alerts = client.monitor.v1.alerts;
  const [alert] = await eventually(() => alerts.list(), (listed) => listed.length === 1, "an alert");
  assert.equal(alert.errorCode, "30018");
  assert.equal(alert.logLevel, "warning");
  assert.equal(alert.resourceSid, sid);
  assert.equal(alert.serviceSid, service.sid);
  assert.ok(alert.dateGenerated instanceof Date);
  assert.equal((await alerts(alert.sid).fetch()).requestVariables, null);
  assert.deepEqual(await alerts.list({ logLevel: "error" }), []);
  const tomorrow = new Date(Date.now() + 86_400_000);
  assert.deepEqual(await alerts.list({ startDate: tomorrow }), []);
  await refused(20404, 404, alerts(`NO${"0".repeat(32)}`).fetch());
});
