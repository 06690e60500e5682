import assert from "node:assert/strict";
import { setSecretValue } from "../support.ts";
import { backupSecret, deleteAgent, logOf, onStored, refused, theStore } from "./stored.ts";

/** Something that the store, or pgBackRest, refuses. */
interface Refusal {
  title: string;
  happen: () => Promise<void>;
  end: () => Promise<void>;
  /** What both logs must hold: the cause, and the command or the act that mends it. */
  says: RegExp;
}

/**
 * Changes an option in a file of the Secret as a deployment with another value does, and back. The agent is started again
 * each time, to have it at once.
 */
function another(file: string, option: string, value: string): Pick<Refusal, "happen" | "end"> {
  let before = "";
  const write = async (text: string) => {
    await setSecretValue("postgres-backup", file, text);
    await deleteAgent();
  };
  return {
    happen: async () => {
      before = await backupSecret(file);
      const after = before.replace(new RegExp(`(${option})=.*`), `$1=${value}`);
      assert.notEqual(after, before);
      await write(after);
    },
    end: () => write(before),
  };
}

const refusals: Refusal[] = [
  {
    title: "a wrong secret key",
    ...another("repo1-keys.conf", "s3-key-secret", "of+another/owner0123456789abcdefghijklmn"),
    says: /403 \(Forbidden\).*pulumi config set --secret --path secrets\.repositories\.cloud\.secretKey/,
  },
  {
    title: "a wrong passphrase",
    ...another("repo1-passphrase.conf", "cipher-pass", "of another repository"),
    says: /The passphrase is not the one .*pulumi config set --secret --path secrets\.backupPassphrase/,
  },
  {
    title: "a certificate that has expired",
    happen: () => theStore().certify(-1),
    end: () => theStore().certify(),
    says: /certificate has expired: renew it at the store/,
  },
  {
    title: "a certificate of an authority that is not trusted",
    happen: () => theStore().certifyByAnother(),
    end: () => theStore().certify(),
    says: /unable to verify certificate.*pulumi config set --path backup\.repositories\.cloud\.ca/,
  },
];

describe("what the store refuses is named with its cause and the command, by the agent and by the server", function () {
  this.timeout(300_000);
  onStored();

  for (const { title, happen, end, says } of refusals) {
    it(title, () =>
      refused(happen, end, says, async () => {
        for (const line of (await logOf("postgres-backup-0")).split("\n"))
          assert.doesNotMatch(line, /authorization:|<Error>/, "a request is shown as it is");
      }),
    );
  }

  it("a missing bucket; once it is made, the archive is made in it, and it goes on", () =>
    refused(
      () => theStore().removeBucket(),
      () => theStore().makeBucket(),
      /NoSuchBucket.*There is no such bucket: make it, .*--path backup\.repositories\.cloud\.bucket/,
    ));
});
