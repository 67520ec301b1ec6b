/**
 * Which way imports point. One row per room of the house; what a row does not list is forbidden.
 * The most specific `at` decides which room a file belongs to. A new folder needs a row here.
 */
export interface Room {
	readonly name: string;
	/** Files or folders relative to the repository. */
	readonly at: readonly string[];
	/** Rooms whose code this room may import. */
	readonly imports: readonly string[];
	/** Rooms of which it may import types only (`import type`): nothing of them is loaded. */
	readonly types?: readonly string[];
	/**
	 * Browsers load this room: no Node built-ins and no packages but these at run time, and only rooms
	 * for which the same holds.
	 */
	readonly browser?: { readonly packages: readonly string[] };
	/** May reach into a package by a relative path: it measures a part that no entry point exports. */
	readonly internals?: true;
}

const PROTOCOL = "protocol";
const ENGINE = "engine";
const FRAMEWORK_BASE = "framework-base";
const REACT = "react";
const VITE = "vite";
const NEXT_JS = "next-js";
const DASHBOARD = "dashboard";

export const rooms: readonly Room[] = [
	{
		name: PROTOCOL,
		at: ["packages/protocol/src"],
		imports: [],
		browser: { packages: [] },
	},

	// The way of a call through the engine: gateway → placement → directory → store.
	{
		// What every room of the engine is given or answers with.
		name: "engine/common",
		at: ["packages/engine/src/common"],
		imports: [PROTOCOL],
	},
	{
		name: "engine/store",
		at: ["packages/engine/src/store"],
		imports: [PROTOCOL, "engine/common"],
	},
	{
		name: "engine/directory",
		at: ["packages/engine/src/directory"],
		imports: [PROTOCOL, "engine/common", "engine/store"],
	},
	{
		name: "engine/placement",
		at: ["packages/engine/src/placement"],
		imports: [PROTOCOL, "engine/common", "engine/store", "engine/directory"],
	},
	{
		name: "engine/alarms",
		at: ["packages/engine/src/alarms"],
		imports: [PROTOCOL, "engine/common", "engine/store", "engine/directory", "engine/placement"],
	},
	{
		// Many nodes on one database: who runs what, and the ways between them.
		name: "engine/cluster",
		at: ["packages/engine/src/cluster"],
		imports: [PROTOCOL, "engine/common", "engine/store", "engine/placement"],
		types: ["engine/alarms"],
	},
	{
		// Actors as files.
		name: "engine/transfer",
		at: ["packages/engine/src/transfer"],
		imports: [PROTOCOL, "engine/common", "engine/store", "engine/directory"],
	},
	{
		// Namespaces, and how pools of runners are configured.
		name: "engine/pools",
		at: ["packages/engine/src/pools"],
		imports: [PROTOCOL, "engine/common", "engine/store"],
	},
	{
		// Processes that host actors for this engine.
		name: "engine/runners",
		at: ["packages/engine/src/runners"],
		imports: [PROTOCOL, "engine/common", "engine/store", "engine/placement", "engine/pools"],
	},
	{
		// Hosts that are asked for runners.
		name: "engine/serverless",
		at: ["packages/engine/src/serverless"],
		imports: [PROTOCOL, "engine/common", "engine/pools"],
		types: ["engine/runners"],
	},
	{
		name: "engine/gateway",
		at: ["packages/engine/src/gateway"],
		imports: [PROTOCOL, "engine/common", "engine/store", "engine/directory", "engine/placement"],
		types: ["engine/api"],
	},
	{
		name: "engine/api",
		at: ["packages/engine/src/api"],
		imports: [
			PROTOCOL,
			"engine/common",
			"engine/store",
			"engine/directory",
			"engine/placement",
			"engine/transfer",
			"engine/pools",
			"engine/gateway",
		],
	},
	{
		name: "engine/server",
		at: ["packages/engine/src/server"],
		imports: [
			PROTOCOL,
			"engine/common",
			"engine/store",
			"engine/directory",
			"engine/placement",
			"engine/alarms",
			"engine/gateway",
			"engine/api",
		],
	},
	{
		name: ENGINE,
		at: ["packages/engine/src"],
		imports: [
			PROTOCOL,
			"engine/common",
			"engine/store",
			"engine/directory",
			"engine/placement",
			"engine/alarms",
			"engine/cluster",
			"engine/transfer",
			"engine/gateway",
			"engine/pools",
			"engine/runners",
			"engine/serverless",
			"engine/api",
			"engine/server",
		],
	},

	{
		// The command line: an engine apart from any application.
		name: "engine/cli",
		at: ["packages/engine/src/cli"],
		imports: [
			"engine/common",
			"engine/cluster",
			PROTOCOL,
			ENGINE,
			"engine/store",
			"engine/server",
			"engine/runners",
		],
	},

	// What users import. actor/ declares, runtime/ runs it, backends/ say what it stands on.
	{
		name: "rivetkit/utils",
		at: ["packages/rivetkit/src/utils"],
		imports: [PROTOCOL],
		browser: { packages: [] },
	},
	{
		name: "rivetkit/errors",
		at: ["packages/rivetkit/src/errors"],
		imports: [PROTOCOL, "rivetkit/utils"],
		browser: { packages: [] },
	},
	{
		name: "rivetkit/config",
		at: ["packages/rivetkit/src/config"],
		imports: [PROTOCOL, "rivetkit/utils", "rivetkit/errors"],
		browser: { packages: ["zod"] },
	},
	{
		name: "rivetkit/log",
		at: ["packages/rivetkit/src/log"],
		imports: [PROTOCOL, "rivetkit/utils", "rivetkit/errors"],
	},
	{
		name: "rivetkit/actor",
		at: ["packages/rivetkit/src/actor"],
		imports: [PROTOCOL, "rivetkit/utils", "rivetkit/errors", "rivetkit/config"],
		types: ["rivetkit/log", "rivetkit/client", "rivetkit/db"],
		browser: { packages: ["zod"] },
	},
	{
		name: "rivetkit/client",
		at: ["packages/rivetkit/src/client"],
		imports: [PROTOCOL, "rivetkit/utils", "rivetkit/errors"],
		types: ["rivetkit/actor", "rivetkit/registry"],
		browser: { packages: [] },
	},
	{
		name: "rivetkit/backend",
		at: ["packages/rivetkit/src/backends/backend.ts"],
		imports: [PROTOCOL],
	},
	{
		// SQLite through the runtime's own engine, and how a database becomes entries of a store.
		name: "rivetkit/sqlite",
		at: ["packages/rivetkit/src/sqlite"],
		imports: [PROTOCOL],
	},
	{
		name: "rivetkit/db",
		at: ["packages/rivetkit/src/db"],
		imports: [
			PROTOCOL,
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/sqlite",
			"rivetkit/actor",
			"rivetkit/log",
		],
	},
	{
		name: "rivetkit/runtime",
		at: ["packages/rivetkit/src/runtime"],
		imports: [
			PROTOCOL,
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/log",
			"rivetkit/sqlite",
			"rivetkit/actor",
			"rivetkit/backend",
		],
		types: ["rivetkit/client", "rivetkit/db"],
	},
	{
		name: "rivetkit/workflow",
		at: ["packages/rivetkit/src/workflow"],
		imports: [PROTOCOL, "rivetkit/utils", "rivetkit/errors", "rivetkit/log", "rivetkit/actor"],
		types: ["rivetkit/client", "rivetkit/runtime"],
	},
	{
		// Tools in browsers speak the inspector's protocol, too.
		name: "rivetkit/inspector/client",
		at: ["packages/rivetkit/src/inspector/client.ts"],
		imports: [PROTOCOL],
		browser: { packages: [] },
	},
	{
		name: "rivetkit/inspector",
		at: ["packages/rivetkit/src/inspector"],
		imports: [
			PROTOCOL,
			"rivetkit/inspector/client",
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/log",
			"rivetkit/actor",
			"rivetkit/runtime",
		],
	},
	{
		name: "rivetkit/backends",
		at: ["packages/rivetkit/src/backends"],
		imports: [
			PROTOCOL,
			ENGINE,
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/config",
			"rivetkit/log",
			"rivetkit/actor",
			"rivetkit/backend",
			"rivetkit/runtime",
			"rivetkit/client",
		],
	},
	{
		name: "rivetkit/registry",
		at: ["packages/rivetkit/src/registry"],
		imports: [
			PROTOCOL,
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/config",
			"rivetkit/log",
			"rivetkit/actor",
			"rivetkit/client",
			"rivetkit/runtime",
			"rivetkit/inspector",
			"rivetkit/backend",
			"rivetkit/backends",
			DASHBOARD,
		],
	},
	{
		// For authors of backends: parts of the house under names that stay.
		name: "rivetkit/driver-helpers",
		at: ["packages/rivetkit/src/driver-helpers"],
		imports: [
			PROTOCOL,
			"rivetkit/log",
			"rivetkit/client",
			"rivetkit/runtime",
			"rivetkit/backend",
			"rivetkit/backends",
			"rivetkit/registry",
		],
		types: ["rivetkit/actor"],
	},
	{
		// Suites for users' own test runners: no package of ours may need them.
		name: "rivetkit/driver-test-suite",
		at: ["packages/rivetkit/src/driver-test-suite"],
		imports: [
			PROTOCOL,
			"rivetkit/actor",
			"rivetkit/backend",
			"rivetkit/registry",
			"rivetkit/driver-helpers",
		],
		types: ["rivetkit/log"],
	},
	{
		name: "rivetkit/serve-test-suite",
		at: ["packages/rivetkit/src/serve-test-suite"],
		imports: [
			PROTOCOL,
			"rivetkit/errors",
			"rivetkit/actor",
			"rivetkit/client",
			"rivetkit/backends",
			"rivetkit/registry",
			"rivetkit/driver-test-suite",
		],
	},
	{
		name: "rivetkit/test",
		at: ["packages/rivetkit/src/test"],
		imports: [
			PROTOCOL,
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/config",
			"rivetkit/log",
			"rivetkit/actor",
			"rivetkit/client",
			"rivetkit/runtime",
			"rivetkit/backend",
			"rivetkit/backends",
			"rivetkit/registry",
		],
	},
	{
		// The command line: speaks HTTP to a server, so it knows nothing of what runs there.
		name: "rivetkit/cli",
		at: ["packages/rivetkit/src/cli"],
		imports: [PROTOCOL, "rivetkit/utils", "rivetkit/config"],
	},
	{
		// The entry points: a short list of names each.
		name: "rivetkit",
		at: ["packages/rivetkit/src", "packages/rivetkit/src/errors/index.ts"],
		imports: [
			PROTOCOL,
			"rivetkit/utils",
			"rivetkit/errors",
			"rivetkit/config",
			"rivetkit/log",
			"rivetkit/actor",
			"rivetkit/client",
			"rivetkit/db",
			"rivetkit/workflow",
			"rivetkit/runtime",
			"rivetkit/inspector",
			"rivetkit/backend",
			"rivetkit/backends",
			"rivetkit/registry",
			"rivetkit/driver-helpers",
			"rivetkit/test",
		],
	},

	// Adapters to frameworks: thin, on the client.
	{
		name: FRAMEWORK_BASE,
		at: ["packages/framework-base/src"],
		imports: ["rivetkit/client"],
		browser: { packages: [] },
	},
	{
		name: REACT,
		at: ["packages/react/src"],
		imports: [FRAMEWORK_BASE, "rivetkit/client"],
		browser: { packages: ["dequal", "react"] },
	},

	// Adapters to what people build with: they load, run and reload the users' registry.
	{ name: VITE, at: ["packages/vite/src"], imports: ["rivetkit"] },
	{ name: NEXT_JS, at: ["packages/next-js/src"], imports: ["rivetkit"] },
	{
		name: "next-js/client",
		at: ["packages/next-js/src/client.ts"],
		imports: [REACT],
		browser: { packages: [] },
	},

	// Starts projects: knows nothing of what it writes. Templates are projects, and see what users see.
	{ name: "create-rivetkit", at: ["packages/create-rivetkit/src"], imports: [] },
	{
		name: "create-rivetkit/templates",
		at: ["packages/create-rivetkit/src/templates"],
		imports: ["rivetkit", "rivetkit/client"],
	},

	// The web page, and (for servers) where its files are.
	{ name: DASHBOARD, at: ["packages/dashboard/src"], imports: [] },
	{
		name: "dashboard/app",
		at: ["packages/dashboard/src/app"],
		imports: [PROTOCOL],
		browser: {
			packages: [
				"@base-ui/react",
				"@tanstack/react-query",
				"@tanstack/react-virtual",
				"lucide-react",
				"react",
				"react-dom",
			],
		},
	},

	// Run by CI like tests: they see what users see.
	{
		name: "examples",
		at: ["examples"],
		imports: ["rivetkit", "rivetkit/client", REACT, VITE, NEXT_JS, "next-js/client"],
	},
	{
		name: "benchmarks/parts",
		at: ["benchmarks/scale", "benchmarks/state", "benchmarks/store"],
		imports: [
			PROTOCOL,
			ENGINE,
			"engine/common",
			"engine/store",
			"engine/placement",
			"engine/alarms",
			"rivetkit/runtime",
		],
		internals: true,
	},
	{
		// Beside what it measures it starts a PostgreSQL and the published engine, as tests do.
		name: "benchmarks/cluster",
		at: ["benchmarks/cluster"],
		imports: ["rivetkit", "benchmarks"],
		internals: true,
	},
	{
		name: "benchmarks",
		at: ["benchmarks"],
		imports: ["rivetkit", "rivetkit/client", ENGINE, PROTOCOL],
	},
];

/** The room behind each of our package names; a subpath that is not listed is an entry of the package like the rest. */
export const packageRooms: Readonly<Record<string, string>> = {
	"@rivetkit/protocol": PROTOCOL,
	"@rivetkit/engine": ENGINE,
	"@rivetkit/framework-base": FRAMEWORK_BASE,
	"@rivetkit/react": REACT,
	"@rivetkit/vite": VITE,
	"@rivetkit/next-js": NEXT_JS,
	"@rivetkit/next-js/client": "next-js/client",
	"create-rivetkit": "create-rivetkit",
	"@rivetkit/dashboard": DASHBOARD,
	rivetkit: "rivetkit",
	// Browsers load this entry.
	"rivetkit/client": "rivetkit/client",
};
