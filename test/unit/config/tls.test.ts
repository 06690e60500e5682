import assert from "node:assert/strict";
import { readSettings } from "../../../config.ts";
import { changed, deployable, doubts, type Raw } from "../../settings.ts";

const withTls = (tls: Raw[string]): Raw => ({ ...deployable(), tls });
const read = (tls: Raw[string]) => readSettings("prod", withTls(tls)).settings.tls;

describe("the section tls", () => {
  it("needs nothing", () => {
    const { source, authorities, minimumVersion, plainConnections } = read({});
    assert.deepEqual(
      { source, authorities, minimumVersion, plainConnections },
      { source: "generated", authorities: ["1"], minimumVersion: "1.3", plainConnections: undefined },
    );
  });

  it("takes a version and names as `pulumi config set --path` writes them: as numbers", () => {
    assert.equal(read({ minimumVersion: 1.2 }).minimumVersion, "1.2");
    assert.deepEqual(read({ authorities: [2027, 1] }).authorities, ["2027", "1"]);
  });

  const refused: Record<string, [Raw[string], RegExp]> = {
    "an older protocol": [{ minimumVersion: "1.1" }, /tls\.minimumVersion.*Allowed: one of 1\.3, 1\.2/],
    "an issuer that is missing": [{ source: "cert-manager" }, /tls\.issuer: is missing.*kubectl get issuers/],
    "roots of the systems for an authority that none has": [
      { trust: "system" },
      /tls\.trust.*Allowed: authority/,
    ],
    "roots of the systems without a public name": [
      { source: "existing", trust: "system" },
      /tls\.names: is empty.*Set it: pulumi config set --path 'tls\.names\[0\]'/,
    ],
    "nobody who could log in": [
      { source: "none", plainConnections: "refused" },
      /tls\.plainConnections.*Allowed: accepted/,
    ],
    "the same authority twice": [{ authorities: ["a", "a"] }, /tls\.authorities.*different names/],
    "no authority": [{ authorities: [] }, /tls\.authorities.*one to three/],
    "a name that is none": [{ names: ["db_1.example.com"] }, /tls\.names.*DNS names and IP addresses/],
    "a field that is none": [{ sources: "generated" }, /tls\.sources.*tls\.source/],
  };
  for (const [what, [tls, message]] of Object.entries(refused))
    it(`refuses ${what}, and says what to do`, () => assert.throws(() => read(tls), message));

  it("refuses settings of PostgreSQL that it sets itself", () => {
    const own = changed("database.settings.ssl_min_protocol_version", "TLSv1.2");
    assert.throws(
      () => readSettings("prod", own),
      /set by tls.*Use tls\.minimumVersion instead.*config rm --path/s,
    );
    assert.doesNotThrow(() =>
      readSettings("prod", { ...changed("database.settings.ssl", "off"), tls: { source: "none" } }),
    );
  });

  it("warns of plain text and of an old protocol, and says how to leave them", () => {
    assert.match(doubts("prod", withTls({ source: "none" })).join("\n"), /plain text.*tls\.source generated/);
    assert.match(
      doubts("prod", withTls({ minimumVersion: "1.2" })).join("\n"),
      /old drivers.*tls\.minimumVersion/,
    );
    assert.doesNotMatch(doubts("prod", withTls({})).join("\n"), /tls\./);
  });
});
