/** The worked examples of docs/worked-examples.md, each as a customer's program would live it. */
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { ROOT, start, byHttpClient, eventually, refused, ukNumber } = require("./harness");

/** What needs a year to pass is left to the tests that have a clock of their own. */
const TIME_PASSES = { 39: "366 days" };

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "postrider-networks-"));
const table = path.join(directory, "networks.csv");
// It matters only where a short code names its networks.
fs.writeFileSync(table, "prefix_or_number,mcc,mnc,name\n14155550199,310,260,elsewhere\n");
test.after(() => fs.rmSync(directory, { recursive: true }));
const world = start(test, `[networks]\ntable = "${table}"\n`);

/** The cells of a table, without its header. */
function rows(part) {
  const lines = part.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const page = fs.readFileSync(path.join(ROOT, "docs/worked-examples.md"), "utf8");
const [sendersPart, examplesPart] = page.split("## Examples");
const SENDERS = Object.fromEntries(rows(sendersPart).map((row) => [row[0], row]));
const EXAMPLES = rows(examplesPart);

class Example {
  constructor(account, service, to) {
    Object.assign(this, { account, service, to, members: {} });
  }

  /** Registers a sender and puts it into the pool. */
  async join(name, isSlow = false) {
    this.members[name] = await this.#join(name, isSlow);
  }

  async #join(name, isSlow) {
    const [, address, home, can] = SENDERS[name];
    const { account, service } = this;
    const mms = can.includes("MMS") ? { MmsEnabled: "true" } : {};
    if (address.startsWith("whatsapp:")) {
      const { sid } = await account.whatsapp(address.slice("whatsapp:".length));
      return service.channelSenders.create({ sid });
    }
    if (address.startsWith("+")) {
      const number = await account.number(address);
      await account.enabled(number, { ...mms, ...(isSlow && { Pace: "1" }) });
      return service.phoneNumbers.create({ phoneNumberSid: number.sid });
    }
    if (/^\d+$/.test(address)) {
      const { sid } = await account.shortCode(address, home, mms);
      return service.shortCodes.create({ shortCodeSid: sid });
    }
    if (home === "any") return service.alphaSenders.create({ alphaSender: address });
    return service.destinationAlphaSenders.create({ alphaSender: address, isoCountryCode: home });
  }

  /** The handset knows the service by this sender from now on; on WhatsApp nobody does. */
  async isTexted(handset, name) {
    const address = SENDERS[name][1];
    await this.account.handsetTexts(handset.replace("whatsapp:", ""), address);
    if (address.startsWith("whatsapp:")) return;
    const look = () => this.account.stickySender(this.service, handset);
    await eventually(look, (sender) => sender === address, `${handset} knows ${address}`);
  }

  /** Brings about one clause of the state; gives what the message has more for it. */
  async apply(clause) {
    const [first, second, third] = clause.split(" ");
    if (clause === "alert") {
      const data = { SenderIdPreregAlert: "true" };
      await this.account.ours("post", `Services/${this.service.sid}`, { data });
    } else if (clause === "media") {
      return { mediaUrl: ["https://example.com/cat.png"] };
    } else if (first === "from") {
      return { from: SENDERS[second][1] };
    } else if (first === "network") {
      const [, code, country] = SENDERS[third];
      await this.account.shortCode(code, country, { ServedNetworks: ["310-410"] });
    } else if (first === "mapping") {
      await this.isTexted(this.to, second);
    } else if (second === "joins") {
      await this.join(first);
    } else if (second === "leaves") {
      await this.service.phoneNumbers(this.members[first].sid).remove();
    } else if (first === "S") {
      await this.service.update({ stickySender: second === "on" });
    } else if (clause === "30 days") {
      // They change nothing, so nobody waits for them.
    } else if (third === "mappings") {
      for (let count = Number(second); count > 0; count--) await this.isTexted(ukNumber(), first);
    } else if (third === "queued") {
      // The first leaves at once.
      for (let count = Number(second); count >= 0; count--) {
        const message = { to: ukNumber(), from: SENDERS[first][1], body: "Hello" };
        await this.account.client.messages.create(message);
      }
    } else {
      assert.equal(clause, "M off");
    }
    return {};
  }
}

async function run(account, [, poolCell, stateCell, to, chosen, rule, also]) {
  const [settings, ...clauses] = stateCell.split(";").map((part) => part.trim());
  const isSet = (setting) => settings.split(" ").includes(setting);
  const pool = poolCell.split(",").map((name) => name.trim()).filter(Boolean);
  const service = await account.service([], {
    stickySender: isSet("S"),
    areaCodeGeomatch: isSet("A"),
    mmsConverter: !clauses.includes("M off"),
  });
  const example = new Example(account, service, to);
  for (const name of pool) {
    await example.join(name, clauses.some((it) => it.startsWith(name) && it.endsWith("queued")));
  }
  let more = {};
  for (const clause of clauses) more = { ...more, ...(await example.apply(clause)) };

  const message = { to, messagingServiceSid: service.sid, body: "Hello", ...more };
  const [outcome, code] = chosen.split(" ");
  if (outcome === "400") return refused(Number(code), 400, account.client.messages.create(message));
  const created = await account.client.messages.create(message);
  assert.equal(created.status, "accepted");
  const { decision, candidates } = await account.ours("get", `Explain/${created.sid}`);
  if (outcome === "fail") {
    assert.equal((await account.settled(created, "failed")).errorCode, Number(code));
    assert.deepEqual([decision.rule, decision.error_code], [null, Number(code)]);
    return;
  }
  const address = SENDERS[chosen][1];
  const [first] = candidates;
  assert.deepEqual([first.sender, decision.steps.at(-1).rule], [address, rule]);
  // No carrier takes media yet: who would have had it is the last that is removed.
  const ruling = more.mediaUrl ? [null, 21612, "media_not_carried"] : [rule, null, rule];
  assert.deepEqual([decision.rule, decision.error_code, first.rule], ruling);
  const shown = [
    decision.sticky.replace("ignore", ""),
    decision.warning_code && `warning ${decision.warning_code}`,
    decision.is_converted_to_sms && "as SMS",
  ];
  // And no recipient is remembered.
  const expected = more.mediaUrl ? also.replace("write, ", "") : also;
  assert.equal(shown.filter(Boolean).join(", "), expected);
  if (more.mediaUrl) {
    assert.equal((await account.settled(created, "failed")).errorCode, 21612);
  } else {
    assert.equal((await account.settled(created)).from, address);
  }
}

test("every example is here", () => assert.equal(EXAMPLES.length, 50));

for (const row of EXAMPLES) {
  const [number, pool, state, to] = row;
  const skip = TIME_PASSES[number] && state.includes(TIME_PASSES[number]);
  test(`example ${number}: ${pool || "nobody"}; ${state}; ${to}`, { skip }, async () => {
    const account = await world.account();
    try {
      await run(account, row);
    } finally {
      // Examples share their numbers, and an account that is closed gives its own up.
      const main = byHttpClient(world.url, world.accountSid, world.authToken);
      await main.api.v2010.accounts(account.sid).update({ status: "closed" });
    }
  });
}
