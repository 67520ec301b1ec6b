import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { Service } from "kubernetes-types/core/v1.js";
import type { NetworkPolicy } from "kubernetes-types/networking/v1.js";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";
import { parseAllDocuments } from "yaml";
import { repoRoot } from "../lib/workspaces.ts";

const run = promisify(execFile);

const KUSTOMIZATION = "kustomization.yaml";
/** Where Kubernetes' types are, for what the manifests use. */
const MODULES: Readonly<Record<string, string>> = {
	"apps/v1": "apps/v1",
	v1: "core/v1",
	"networking.k8s.io/v1": "networking/v1",
	"policy/v1": "policy/v1",
};

interface Kinds {
	readonly Deployment: Deployment;
	readonly Service: Service;
	readonly NetworkPolicy: NetworkPolicy;
	readonly PodDisruptionBudget: PodDisruptionBudget;
}

interface Manifest {
	readonly apiVersion: string;
	readonly kind: string;
}

/** A folder of manifests with its `kustomization.yaml`. */
export class Manifests {
	readonly files: readonly string[];
	/** What the kustomization lists. */
	readonly listed: readonly string[];
	readonly #all: readonly Manifest[];

	/** Throws where a file is not YAML, or has a key twice. */
	constructor(folder: string) {
		this.files = readdirSync(folder).filter((file) => file !== KUSTOMIZATION);
		const [kustomization] = read(join(folder, KUSTOMIZATION));
		this.listed = (kustomization as { resources: string[] }).resources;
		this.#all = this.files.flatMap((file) => read(join(folder, file)) as Manifest[]);
	}

	get kinds(): string[] {
		return this.#all.map(({ kind }) => kind).sort();
	}

	/** The only one of its kind. */
	the<K extends keyof Kinds>(kind: K): Kinds[K] {
		const found = this.#all.filter((one) => one.kind === kind);
		if (found.length !== 1) throw new Error(`there are ${found.length} of ${kind}`);
		return found[0] as Kinds[K];
	}

	/**
	 * Holds every manifest against Kubernetes' own types, made from its OpenAPI document: a key that they do not
	 * have, or a value of another type, is an error of the compiler. `folder` is empty.
	 */
	async fitTypes(folder: string): Promise<void> {
		mkdirSync(join(folder, "node_modules"));
		symlinkSync(
			join(repoRoot, "node_modules", "kubernetes-types"),
			join(folder, "node_modules", "kubernetes-types"),
		);
		const lines = this.#all.map((manifest, index) => {
			const module = MODULES[manifest.apiVersion];
			if (module === undefined) throw new Error(`no types are known for ${manifest.apiVersion}`);
			const type = `import("kubernetes-types/${module}").${manifest.kind}`;
			return `export const manifest${index}: ${type} = ${JSON.stringify(manifest, null, "\t")};`;
		});
		writeFileSync(join(folder, "manifests.ts"), lines.join("\n"));
		const config = {
			compilerOptions: {
				strict: true,
				noEmit: true,
				skipLibCheck: true,
				module: "esnext",
				moduleResolution: "bundler",
				types: [],
			},
			files: ["manifests.ts"],
		};
		writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
		const tsc = join(repoRoot, "node_modules", ".bin", "tsc");
		await run(tsc, ["-p", folder]).catch(({ stdout }: { stdout: string }) => {
			throw new Error(stdout);
		});
	}
}

function read(file: string): unknown[] {
	return parseAllDocuments(readFileSync(file, "utf8"), { strict: true, uniqueKeys: true }).map(
		(document) => {
			if (document.errors.length > 0) throw document.errors[0];
			return document.toJS() as unknown;
		},
	);
}
