/** Handsets text; an application written with the SDK is asked, and what it answers arrives. */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const twilio = require("twilio");
const { eventually, start, usNumber } = require("./harness");

const { MessagingResponse } = twilio.twiml;
const world = start(test);

/** A number whose application says this, and a handset that has texted it. */
async function texted(document, { smsMethod = "POST" } = {}) {
  const account = await world.account();
  const [smsUrl, handset] = [world.receiver.url("?tenant=42"), usNumber()];
  world.receiver.say(smsUrl, document);
  const number = await account.client.incomingPhoneNumbers.create({
    phoneNumber: usNumber(),
    smsMethod,
    smsUrl,
  });
  await account.handsetTexts(handset, number.phoneNumber);
  return { account, handset, number, smsUrl };
}

async function screen({ account, handset }, count) {
  const name = `Simulator/Handsets/${encodeURIComponent(handset)}`;
  const look = async () => (await account.ours("get", name, { status: [200, 404] })).messages ?? [];
  const texts = await eventually(look, ({ length }) => length >= count, `${count} texts`);
  return texts.map(({ from, body }) => [from, body]).sort();
}

for (const smsMethod of ["POST", "GET"]) {
  test(`the validator accepts a ${smsMethod}`, async () => {
    const { account, handset, smsUrl } = await texted(new MessagingResponse(), { smsMethod });
    const look = () => world.receiver.requests(smsUrl);
    const [{ url, method, headers, fields }] = await eventually(look, ({ length }) => length, "a request");
    assert.equal(method, smsMethod);
    const signature = headers["x-twilio-signature"];
    const signed = method === "POST" ? fields : {};
    assert.ok(twilio.validateRequest(account.authToken, signature, url, signed));
    assert.ok(!twilio.validateRequest("0".repeat(32), signature, url, signed));
    assert.equal(fields.From, handset);
    assert.equal(fields.Body, "Hello");
  });
}

test("what the builder says arrives", async () => {
  const response = new MessagingResponse();
  response.message("One & only 😀");
  response.message().body("Two");
  const conversation = await texted(response);
  const { phoneNumber } = conversation.number;
  const expected = [
    [phoneNumber, "One & only 😀"],
    [phoneNumber, "Two"],
  ];
  assert.deepEqual(await screen(conversation, 2), expected);
});

test("a redirect goes on, and a reply reports its status", async () => {
  const [next, events] = [world.receiver.url(), world.receiver.url()];
  const [first, then] = [new MessagingResponse(), new MessagingResponse()];
  first.redirect({ method: "GET" }, next);
  then.message({ action: events }, "Then");
  world.receiver.say(next, then);
  const conversation = await texted(first);
  assert.deepEqual(await screen(conversation, 1), [[conversation.number.phoneNumber, "Then"]]);
  const statuses = (await world.receiver.waitFor(events, "delivered")).map(
    ({ fields }) => fields.MessageStatus,
  );
  assert.deepEqual(statuses, ["sent", "delivered"]);
});
