import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import Sequencer from "./scripts/vitest-sequencer.ts";
import { sharing } from "./scripts/vitest-sharing.ts";

// For the server processes of tests; see scripts/vitest-compile-cache.ts.
process.env.NODE_COMPILE_CACHE ??= new URL(
	"node_modules/.cache/node-compile",
	import.meta.url,
).pathname;

// As Node resolves them: some packages have a "module" that only bundlers can load.
const source = ["@rivetkit/source", "node", "development|production"];

const common = {
	pool: "forks",
	// Many of our tests wait for sockets and child processes. A number: percentages end at 100.
	maxWorkers: 2 * availableParallelism(),
	// For what hangs. On a busy machine everything else is slow, too: no test has a shorter limit.
	testTimeout: 240_000,
	hookTimeout: 240_000,
	expect: { poll: { timeout: 45_000 } },
} as const;

export default defineConfig({
	test: {
		sequence: { sequencer: Sequencer },
		// Of the run, whichever of the projects it is of.
		globalSetup: ["scripts/vitest-postgres.ts"],
		projects: [
			{
				// Runs on the sources: no build needed.
				resolve: { conditions: source },
				ssr: { resolve: { conditions: source } },
				test: {
					...common,
					name: "source",
					include: [
						"packages/*/test/**/*.test.{ts,tsx}",
						"tests/**/*.test.ts",
						"benchmarks/test/**/*.test.ts",
					],
					exclude: ["tests/built/**", "tests/browser/**", "**/node_modules/**", ...sharing],
					globalSetup: ["scripts/vitest-compile-cache.ts", "scripts/vitest-programs.ts"],
				},
			},
			{
				resolve: { conditions: source },
				ssr: { resolve: { conditions: source } },
				test: {
					...common,
					name: "source-shared",
					isolate: false,
					setupFiles: ["scripts/vitest-metadata.ts"],
					include: [...sharing],
					globalSetup: ["scripts/vitest-programs.ts"],
				},
			},
			{
				// The React adapter on the other major version it supports.
				resolve: {
					conditions: source,
					alias: [
						{
							find: /^(react|react-dom)(?=\/|$)/,
							replacement: new URL("tests/react/18/node_modules/$1", import.meta.url).pathname,
						},
					],
				},
				ssr: { resolve: { conditions: source } },
				test: {
					...common,
					name: "react-18",
					env: { REACT_MAJOR: "18" },
					include: ["packages/react/test/use-actor.test.tsx"],
				},
			},
			{
				// Sees what users see: the built packages through their `exports`. Builds what is stale first.
				test: {
					...common,
					name: "built",
					include: ["tests/built/**/*.test.ts", "examples/*/test/**/*.test.ts"],
					exclude: ["examples/*/test/browser/**", "**/node_modules/**"],
					globalSetup: ["scripts/vitest-build.ts"],
					server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
				},
			},
			{
				// Needs a Chromium, which .ci/run installs: `npm run test:browser`, not part of `npm test`.
				test: {
					...common,
					name: "browser",
					// Two pages at a time: a browser is many processes.
					maxWorkers: 2,
					// A page that draws itself without a graphics card is the first to be slow on a busy machine.
					testTimeout: 600_000,
					hookTimeout: 600_000,
					expect: { poll: { timeout: 180_000 } },
					sequence: { groupOrder: 1 },
					include: ["tests/browser/**/*.test.ts", "examples/*/test/browser/**/*.test.ts"],
					globalSetup: ["scripts/vitest-build.ts"],
					server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
				},
			},
		],
	},
});
