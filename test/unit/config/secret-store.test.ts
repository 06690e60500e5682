import assert from "node:assert/strict";
import { readSettings } from "../../../config.ts";
import { deployable, doubts, problemsOf, type Raw } from "../../settings.ts";

const stored = (secretStore: Raw[string], more: Raw = {}): Raw => ({ ...deployable(), ...more, secretStore });
const problems = (raw: Raw) => problemsOf("prod", raw);
const STORED = { source: "external-secrets", store: "vault" };

describe("the section secretStore", () => {
  it("leaves the values with the stack where nothing is set", () => {
    assert.equal(readSettings("prod", deployable()).settings.secretStore.source, "pulumi");
  });

  it("needs the store's name, and says how to find it", () => {
    const [line, ...more] = problems(stored({ source: "external-secrets" }));
    assert.deepEqual(more, []);
    assert.match(
      line ?? "",
      /^secretStore\.store: is missing.*kubectl get secretstores.*pulumi config set --path secretStore\.store/,
    );
    assert.deepEqual(problems(stored(STORED)), []);
  });

  it("refuses fields that nothing reads", () => {
    const lines = problems(stored({ store: "vault", path: "a/b" }));
    assert.match(lines.join("\n"), /^secretStore\.store: is not used.*\nsecretStore\.path: is not used/);
  });

  it("refuses each configured value that the store has instead, and names both keys", () => {
    const lines = problems(
      stored(STORED, {
        backup: { repositories: { cloud: { kind: "s3", endpoint: "s3.example.com", bucket: "backups" } } },
        secrets: {
          databasePassword: "correct-horse-battery",
          superuserPassword: "correct-horse-staple",
          backupPassphrase: "correct-horse-passphrase",
          repositories: { cloud: { accessKey: "AKIAEXAMPLE", secretKey: "of-the-store" } },
        },
      }),
    );
    assert.deepEqual(
      lines.map((line) => line.split(":")[0]),
      [
        "secrets.databasePassword",
        "secrets.superuserPassword",
        "secrets.backupPassphrase",
        "secrets.repositories.cloud.accessKey",
        "secrets.repositories.cloud.secretKey",
      ],
    );
    for (const line of lines) {
      assert.match(line, /secretStore\.source is external-secrets.*pulumi config rm --path secrets\./);
      assert.doesNotMatch(line, /correct-horse|AKIA|of-the-store/);
    }
  });

  it("needs no keys of repositories, which the store has", () => {
    const backup = { repositories: { cloud: { kind: "s3", endpoint: "s3.example.com", bucket: "backups" } } };
    assert.deepEqual(problems(stored(STORED, { backup })), []);
    assert.match(
      problems(stored({}, { backup })).join(),
      /secrets\.repositories\.cloud\.accessKey: is missing/,
    );
  });

  it("takes only names that the store takes", () => {
    assert.match(
      problems(stored({ ...STORED, path: "team/db", separator: "-" })).join(),
      /^secretStore\.path: is "team\/db", but with secretStore\.separator -/,
    );
    assert.deepEqual(problems(stored({ ...STORED, separator: "-" })), []);
    for (const path of ["a//b", "/a", "a/", "a b", "-a"])
      assert.match(problems(stored({ ...STORED, path })).join(), /^secretStore\.path: /, path);
    for (const refreshInterval of ["0s", "often", "1", "-1m"])
      assert.match(
        problems(stored({ ...STORED, refreshInterval })).join(),
        /^secretStore\.refreshInterval: /,
      );
  });

  it("warns that generated passwords are not changed by a rotation of the stack", () => {
    const raw = stored(STORED);
    raw.database = { ...raw.database, rotation: "2" };
    assert.match(
      doubts("prod", raw).join(),
      /database\.rotation has no effect while secretStore\.source is external-secrets/,
    );
    assert.deepEqual(doubts("prod", stored(STORED)), []);
  });
});
