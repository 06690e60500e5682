import assert from "node:assert/strict";
import { setSecretValue, secretValue, until } from "../support.ts";
import { archiveNow, deleteAgent, logOf, onStored, startSegment, stored, untilArchived } from "./stored.ts";

/** Something that the store, or pgBackRest, refuses. */
interface Refusal {
  title: string;
  happen: () => Promise<void>;
  end: () => Promise<void>;
  /** What both logs must hold: the cause, and the command or the act that mends it. */
  says: RegExp;
}

const PASSPHRASE = /(cipher-pass)=.*/g;
const SECRET_KEY = /(s3-key-secret)=.*/g;

/** Changes the Secret as a deployment with another value does; the agent is started again, to have it at once. */
async function changed(pattern: RegExp, value: string): Promise<string> {
  const before = await secretValue("postgres-backup", "secrets\\.conf");
  const after = before.replaceAll(pattern, `$1=${value}`);
  assert.notEqual(after, before);
  await setSecretValue("postgres-backup", "secrets.conf", after);
  await deleteAgent();
  return before;
}

let secret = "";
const change = (pattern: RegExp, value: string) => async () => {
  secret = await changed(pattern, value);
};
const changeBack = async () => {
  await setSecretValue("postgres-backup", "secrets.conf", secret);
  await deleteAgent();
};

const refusals: Refusal[] = [
  {
    title: "a wrong secret key",
    happen: change(SECRET_KEY, "of+another/owner0123456789abcdefghijklmn"),
    end: changeBack,
    says: /403 \(Forbidden\).*pulumi config set --secret --path secrets\.repositories\.cloud\.secretKey/,
  },
  {
    title: "a wrong passphrase",
    happen: change(PASSPHRASE, "of another repository"),
    end: changeBack,
    says: /The passphrase is not the one .*pulumi config set --secret --path secrets\.backupPassphrase/,
  },
  {
    title: "a certificate that has expired",
    happen: () => stored().store.certify(-1),
    end: () => stored().store.certify(),
    says: /certificate has expired: renew it at the store/,
  },
  {
    title: "a certificate of an authority that is not trusted",
    happen: () => stored().store.certifyByAnother(),
    end: () => stored().store.certify(),
    says: /unable to verify certificate.*pulumi config set --path backup\.repositories\.cloud\.ca/,
  },
];

describe("what the store refuses is named with its cause and the command, by the agent and by the server", function () {
  this.timeout(300_000);
  onStored();

  for (const { title, happen, end, says } of refusals) {
    it(title, async () => {
      await archiveNow();
      await happen();
      let segment;
      try {
        segment = await startSegment();
        await until("the agent says it", async () => says.test(await logOf("postgres-backup-0")));
        await until("the server says it", async () => says.test(await logOf("postgres-0 -c postgres")));
        for (const line of (await logOf("postgres-backup-0")).split("\n"))
          assert.doesNotMatch(line, /authorization:|<Error>/, "a request is shown as it is");
      } finally {
        await end();
      }
      await untilArchived(segment);
    });
  }

  it("a missing bucket; once it is made, the archive is made in it, and it goes on", async () => {
    await archiveNow();
    const says =
      /NoSuchBucket.*There is no such bucket: make it, .*--path backup\.repositories\.cloud\.bucket/;
    await stored().store.removeBucket();
    let segment;
    try {
      segment = await startSegment();
      await until("the agent says it", async () => says.test(await logOf("postgres-backup-0")));
      await until("the server says it", async () => says.test(await logOf("postgres-0 -c postgres")));
    } finally {
      await stored().store.makeBucket();
    }
    await untilArchived(segment);
  });
});
