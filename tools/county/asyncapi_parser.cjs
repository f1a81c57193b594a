// Parses an AsyncAPI document with the official parser's own bundle and prints what it finds, one JSON line each.
//   node asyncapi_parser.cjs BUNDLE DOCUMENT
// Exit 0: parsed, neither errors nor warnings; 1: it found some; another: it could not run.
"use strict";
const fs = require("node:fs");

globalThis.self = globalThis; // the bundle is made for browsers and looks for its global object under this name
const [bundle, path] = process.argv.slice(2);
const Parser = require(bundle);
const WARNING = 1;

(async () => {
  const { document, diagnostics } = await new Parser().parse(fs.readFileSync(path, "utf8"), { source: path });
  const found = diagnostics.filter((finding) => finding.severity <= WARNING);
  for (const { code, message, path: where, range } of found) {
    console.log(JSON.stringify({ line: range.start.line + 1, where: where.join("."), code, message }));
  }
  process.exitCode = document && found.length === 0 ? 0 : 1;
})();
