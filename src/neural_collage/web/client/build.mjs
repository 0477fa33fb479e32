// Builds the page into ../static: `npm run build`; with --watch again at each change.
import { cp, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const client = dirname(fileURLToPath(import.meta.url));
const out = join(client, "..", "static");
const options = {
  absWorkingDir: client,
  entryPoints: { studio: "main.ts", style: "styles/main.css" },
  outdir: out,
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome109", "firefox110", "safari16"],
  minify: true,
  sourcemap: process.argv.includes("--watch"),
  legalComments: "linked",
  logLevel: "warning",
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await cp(join(client, "index.html"), join(out, "index.html"));
await cp(join(client, "pictures"), join(out, "pictures"), { recursive: true });
if (process.argv.includes("--watch")) await (await esbuild.context(options)).watch();
else await esbuild.build(options);
