import type { Registry } from "rivetkit";
import type { DevEnvironment, Plugin, ViteDevServer } from "vite";
import { Actors } from "./actors.ts";
import { findEntry, shownFile } from "./find-entry.ts";
import { findRegistry } from "./find-registry.ts";
import { mountOf } from "./mount.ts";
import { Reports } from "./reports.ts";

export interface RivetKitPluginOptions {
	/**
	 * The module that exports the registry, relative to Vite's root. Default: the first that exists of
	 * `src/actors.ts`, `src/actors/index.ts`, `src/registry.ts`, `actors.ts`, `registry.ts`.
	 */
	readonly entry?: string;
	/** Where the dev server serves the actors; what clients in browsers use by default. Default `/api/rivet`. */
	readonly basePath?: string;
}

/** The module graph of the actors' side: no other plugin's environment, so that no page is reloaded for it. */
const ENVIRONMENT = "rivetkit";
/** Loaded once by Node itself, and not with each reload. */
const EXTERNAL = ["rivetkit", "@rivetkit/engine", "@rivetkit/protocol", "@rivetkit/dashboard"];

interface Runnable {
	readonly runner: { clearCache(): void; import(url: string): Promise<Record<string, unknown>> };
}

/**
 * Runs the actors of a project in its Vite dev server: `vite` starts both. An edit of a module that the
 * actors use swaps their code; state, clients and their sockets stay. Does nothing in `vite build`,
 * `vite preview` and under Vitest.
 *
 * @throws Error (from the hook that Vite calls) when there is no module with the actors
 *
 * @example
 * export default defineConfig({ plugins: [react(), rivetkit()] });
 */
export function rivetkit(options: RivetKitPluginOptions = {}): Plugin {
	let actors: Actors | undefined;
	return {
		name: "rivetkit",
		apply: (_config, { command, isPreview }) =>
			command === "serve" && !isPreview && !process.env.VITEST,
		config: () => ({
			environments: {
				[ENVIRONMENT]: { consumer: "server", resolve: { external: EXTERNAL } },
			},
			// What actors store is no source.
			server: { watch: { ignored: ["**/.rivetkit/**"] } },
		}),
		async configureServer(server) {
			const { root } = server.config;
			const entry = findEntry(root, options.entry);
			const { Registry: Registries } = await import("rivetkit");
			Registries.holdStarts();
			const reports = new Reports(server, shownFile(root, entry));
			const loaded = new Actors({
				load: () => loadRegistry(server, entry),
				onLoaded: (registry, isFirst) => {
					reports.loaded(isFirst);
					if (isFirst) void listen(registry, reports);
				},
				onFailed: (error, isFirst) => reports.failed(error, isFirst),
			});
			actors = loaded;
			const { onRequest, onUpgrade } = mountOf(loaded, {
				basePath: basePathOf(options),
				// In middleware mode the server is somebody else's, and so are its upgrades.
				takesUpgrades: server.httpServer !== null,
			});
			server.middlewares.use(onRequest);
			server.httpServer?.on("upgrade", onUpgrade);
			const start = () => void loaded.reload();
			// Plugins are ready for modules from then on; who embeds Vite listens without it.
			if (server.httpServer) server.httpServer.once("listening", start);
			else setImmediate(start);
		},
		hotUpdate({ file, modules }) {
			if (this.environment.name !== ENVIRONMENT || !actors) return;
			if (modules.length > 0 || (actors.hasFailed && isSource(file))) void actors.reload();
			return [];
		},
		async closeBundle() {
			if (this.environment?.name === ENVIRONMENT) await actors?.close();
		},
	};
}

async function loadRegistry(server: ViteDevServer, entry: string): Promise<Registry> {
	const { runner } = server.environments[ENVIRONMENT] as DevEnvironment & Runnable;
	runner.clearCache();
	return findRegistry(await runner.import(entry), shownFile(server.config.root, entry));
}

/** The address for everybody but the page: the command line, other processes, the dashboard. */
async function listen(registry: Registry, reports: Reports): Promise<void> {
	if (!registry.parseConfig().serveManager) return;
	try {
		await registry.listen();
	} catch (error) {
		reports.notListening(error);
	}
}

function basePathOf({ basePath = "/api/rivet" }: RivetKitPluginOptions): string {
	const inner = basePath.replace(/^\/+|\/+$/g, "");
	if (inner === "") throw new Error('rivetkit({ basePath }): "/" is the page\'s; name a folder');
	return `/${inner}`;
}

/** A file whose appearance may mend what could not be loaded. */
function isSource(file: string): boolean {
	return /\.(?:[cm]?[jt]sx?|json)$/.test(file) && !file.includes("/node_modules/");
}
