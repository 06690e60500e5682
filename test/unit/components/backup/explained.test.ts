import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { projectFile } from "../../../../tools/cli.ts";

/** What scripts/repositories.sh makes of words, pgBackRest's or, with a repository's number, rclone's. */
function explained(words: string, repositories = "1:cloud:s3:443:s3.example.com", number = ""): string {
  const script = `. "$SCRIPT"; repositories; explained "$WORDS" $NUMBER`;
  return execFileSync("bash", ["--norc", "-euo", "pipefail", "-c", script], {
    env: {
      PATH: process.env.PATH,
      SCRIPT: projectFile("components/backup/scripts/repositories.sh"),
      REPOSITORIES: repositories,
      VOLUME: "/nowhere",
      WORDS: words,
      NUMBER: number,
    },
    encoding: "utf8",
  });
}

/** A refusal as pgBackRest 2.55 prints it: the whole request and its answer, for each of two files. */
const refusal = (answer: string, status = "403 (Forbidden)") => {
  const request = (file: string) => `
                                    ProtocolError: HTTP request failed with ${status}:
                                    *** Path/Query ***:
                                    GET /backups/x/archive/main/${file}
                                    *** Request Headers ***:
                                    authorization: <redacted>
                                    host: store.test
                                    *** Response Headers ***:
                                    server: SeaweedFS 8000GB 4.48
                                    *** Response Content ***:
                                    <?xml version="1.0" encoding="UTF-8"?>
                                    ${answer}`;
  return `2026-11-29 14:37:21.847 P00  ERROR: [103]: unable to find a valid repository:
                                    repo1: [ProtocolError] unable to load info file '/x/archive/main/archive.info' or '/x/archive/main/archive.info.copy':${request("archive.info")}${request("archive.info.copy")}`;
};

/** What was recorded from pgBackRest 2.55 with seaweedfs 4.48, and what the line must hold. */
const cases: Record<string, [words: string, holds: RegExp]> = {
  "a clock that was set back": [
    "2026-11-29 13:01:00.000 P00  ERROR: [106]: new backup label '20261129-130100F' is not later than latest backup label '20261129-013000F_20261129-140000I'\n            HINT: has the timezone changed?\n            HINT: is there clock skew?",
    /The node's clock was set back.* No backup can be made before the clock shows 2026-11-29 14:00:00; archiving goes on$/m,
  ],
  "a wrong secret key": [
    refusal(
      "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match.</Message><BucketName>backups</BucketName></Error>",
    ),
    /403 \(Forbidden\): SignatureDoesNotMatch: The request.*--secret --path secrets\.repositories\.cloud\.secretKey/,
  ],
  "a missing bucket": [
    refusal(
      "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>",
      "404 (Not Found)",
    ),
    /no such bucket: make it, .*--path backup\.repositories\.cloud\.bucket <bucket>/,
  ],
  "a refusal without an answer's body": [
    `2026-11-29 14:37:23.065 P00  ERROR: [039]: HTTP request failed with 403 (Forbidden):
                                    *** Path/Query ***:
                                    HEAD /nonesuch/x/archive/main/archive.info
                                    *** Response Headers ***:
                                    server: SeaweedFS 8000GB 4.48`,
    /\[039\]: HTTP request failed with 403 \(Forbidden\)\. The store refuses these keys/,
  ],
  "a wrong passphrase": [
    `2026-11-29 14:37:22.601 P00  ERROR: [095]: unable to load info file '/x/archive/main/archive.info' or '/x/archive/main/archive.info.copy':
                                    CryptoError: unable to flush
                                    HINT: is or was the repo encrypted?
                                    CryptoError: unable to flush
                                    HINT: is or was the repo encrypted?
                                    HINT: has a stanza-create been performed?`,
    /CryptoError: unable to flush\. The passphrase is not the one .*--secret --path secrets\.backupPassphrase/,
  ],
  "a wrong passphrase that leaves something to read": [
    `2026-11-29 19:20:23.035 P00  ERROR: [029]: unable to load info file '/x/archive/main/archive.info' or '/x/archive/main/archive.info.copy':
                                    FormatError: key/value found outside of section at line 1: *\u0007\u00e9X%\u001b(8I
                                    HINT: archive.info cannot be opened but is required to push/get WAL segments.`,
    /FormatError: key\/value found outside of section at line 1: \*[ -~]+\. The passphrase is not the one /,
  ],
  "an untrusted certificate": [
    `2026-11-29 14:39:53.474 P00  ERROR: [095]: unable to verify certificate presented by 'store.test:8443 (127.0.0.1)': [20] unable to get local issuer certificate
                                        [CryptoError] on 10 retries from 801-20017ms: unable to verify certificate presented by 'store.test:8443 (127.0.0.1)': [20] unable to get local issuer certificate`,
    /is not trusted.*--path backup\.repositories\.cloud\.ca/,
  ],
  "a certificate of another host": [
    `2026-11-29 14:40:56.109 P00  ERROR: [095]: unable to find hostname 'store.test' in certificate common name or subject alternative names`,
    /is not trusted.*backup\.repositories\.cloud\.endpoint/,
  ],
  "an expired certificate": [
    `2026-11-29 14:42:01.852 P00  ERROR: [095]: unable to verify certificate presented by 'store.test:8443 (127.0.0.1)': [10] certificate has expired`,
    /has expired: renew it at the store/,
  ],
};

describe("pgBackRest's complaints", () => {
  for (const [what, [words, holds]] of Object.entries(cases)) {
    it(`${what}: one line with the cause and what to do`, () => {
      const line = explained(words);
      assert.match(line, holds);
      assert.equal(line.trim().split("\n").length, 1);
      assert.doesNotMatch(line, /authorization|Headers|<\/?\w+>(?<!<bucket>)|P00/);
      assert.ok(line.length < 1300, line);
    });
  }

  it("the certificate's fault is not taken for the passphrase's, though both are a CryptoError", () => {
    const [words] = cases["an untrusted certificate"] ?? [""];
    assert.doesNotMatch(explained(words), /passphrase/);
  });

  it("of two repositories, the one that complains is named", () => {
    const two = "1:nas:directory 2:cloud:s3:443:s3.example.com";
    const words = refusal("<Error><Code>AccessDenied</Code><Message>No.</Message></Error>");
    assert.match(explained(words.replace("repo1", "repo2"), two), /secrets\.repositories\.cloud\./);
    assert.match(explained(words, two), /secrets\.repositories\.nas\./);
  });

  it("what rclone says of a repository gets the same advice, with that repository's name", () => {
    const two = "1:nas:directory 2:cloud:s3:443:s3.example.com";
    // As rclone 1.60 and 1.75 said them.
    for (const [words, advice] of [
      [
        "error listing: InvalidAccessKeyId: The access key ID you provided does not exist in our records.",
        /store refuses these keys.*secrets\.repositories\.cloud\.secretKey/,
      ],
      [
        "NewFs: couldn't connect SSH: ssh: handshake failed: knownhosts: key mismatch",
        /ssh-keyscan.*backup\.repositories\.cloud\.hostKeys/,
      ],
      [
        "couldn't connect SSH: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]",
        /secrets\.repositories\.cloud\.privateKey/,
      ],
      [
        'Get "https://s3.example.com/": x509: certificate signed by unknown authority',
        /--path backup\.repositories\.cloud\.ca/,
      ],
      ["x509: certificate has expired or is not yet valid", /has expired: renew it at the store/],
      ["write /repository/nas/x: no space left on device", /The repository is full/],
    ] as const)
      assert.match(explained(words, two, "2"), advice, words);
  });

  it("what is not known is repeated, without advice", () => {
    assert.equal(explained("P00  ERROR: [999]: something new"), "[999]: something new\n");
  });
});
