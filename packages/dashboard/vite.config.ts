import { join } from "node:path";
import { defineConfig } from "vite";

/** `npm run dev --workspace packages/dashboard` serves the page with hot reload; see docs/dashboard.md. */
export default defineConfig({
	root: join(import.meta.dirname, "src", "app"),
	// Works at any address: below /ui of a server, behind a base path, or from a file server.
	base: "./",
	resolve: { conditions: ["@rivetkit/source", "module", "browser", "development|production"] },
	build: {
		target: "es2023",
		outDir: join(import.meta.dirname, "dist", "app"),
		emptyOutDir: true,
		// Fonts stay files: data addresses are not in the page's content security policy.
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		sourcemap: false,
		license: { fileName: "licenses.md" },
	},
});
