import { defineConfig } from "vitest/config";

const source = ["@rivetkit/source", "module", "node", "development|production"];

export default defineConfig({
	resolve: { conditions: source },
	ssr: { resolve: { conditions: source } },
	test: {
		include: ["packages/*/test/**/*.test.ts", "tests/**/*.test.ts", "examples/*/test/**/*.test.ts"],
		pool: "forks",
		testTimeout: 20_000,
		hookTimeout: 20_000,
	},
});
