import { type Clock, catalogueError } from "@rivetkit/protocol";
import type { Inventory, InventoryPosition } from "../store/inventory.ts";

/** One isolated set of actors, pools and runners (contract: engine 2.3). */
export interface Namespace {
	readonly namespaceId: string;
	/** How every call addresses it. */
	readonly name: string;
	/** For people. */
	readonly displayName: string;
	readonly createTs: number;
}

const NAME_CHARS_MAX = 64;
const DISPLAY_NAME_CHARS_MAX = 128;
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Which namespaces there are. They are neither renamed nor removed, so one that was seen is remembered. */
export class Namespaces {
	readonly #inventory: Inventory;
	readonly #clock: Clock;
	readonly #newId: () => string;
	readonly #known = new Map<string, Namespace>();

	constructor(inventory: Inventory, clock: Clock, newId: () => string) {
		this.#inventory = inventory;
		this.#clock = clock;
		this.#newId = newId;
	}

	/** Throws `namespace.failed_to_create`, `namespace.name_not_unique`. */
	async create(name: string, displayName: string): Promise<Namespace> {
		check(name, displayName);
		const namespace: Namespace = {
			namespaceId: this.#newId(),
			name,
			displayName,
			createTs: this.#clock.now(),
		};
		const { createTs, ...value } = namespace;
		const isNew = await this.#inventory.insert({
			kind: "namespace",
			scope: "",
			name,
			value: JSON.stringify(value),
			createTs,
		});
		if (!isNew) {
			throw catalogueError("namespace.name_not_unique");
		}
		this.#known.set(name, namespace);
		return namespace;
	}

	/** Makes it unless it is there. */
	async ensure(name: string, displayName: string): Promise<void> {
		if ((await this.find(name)) !== undefined) {
			return;
		}
		try {
			await this.create(name, displayName);
		} catch (error) {
			// Another node was faster.
			if ((await this.find(name)) === undefined) {
				throw error;
			}
		}
	}

	async find(name: string): Promise<Namespace | undefined> {
		const known = this.#known.get(name);
		if (known !== undefined) {
			return known;
		}
		const entry = await this.#inventory.get("namespace", "", name);
		if (entry === undefined) {
			return undefined;
		}
		const namespace = read(entry);
		this.#known.set(name, namespace);
		return namespace;
	}

	/** Throws `namespace.not_found`. */
	async get(name: string): Promise<Namespace> {
		const namespace = await this.find(name);
		if (namespace === undefined) {
			throw catalogueError("namespace.not_found");
		}
		return namespace;
	}

	/** Newest first. */
	async list(limit: number, before?: InventoryPosition): Promise<Namespace[]> {
		return (await this.#inventory.listNewest("namespace", "", limit, before)).map(read);
	}

	async all(): Promise<Namespace[]> {
		return (await this.#inventory.listKind("namespace")).map(read);
	}
}

function read({ value, createTs }: { value: string; createTs: number }): Namespace {
	return { ...(JSON.parse(value) as Omit<Namespace, "createTs">), createTs };
}

function check(name: string, displayName: string): void {
	const fail = (reason: string) => {
		throw catalogueError("namespace.failed_to_create", { reason });
	};
	if (name.length > NAME_CHARS_MAX || !NAME.test(name)) {
		fail(
			`name must be 1 to ${NAME_CHARS_MAX} of a-z, 0-9 and -, without a leading, trailing or double dash`,
		);
	}
	const length = [...displayName].length;
	if (length < 1 || length > DISPLAY_NAME_CHARS_MAX) {
		fail(`display_name must have 1 to ${DISPLAY_NAME_CHARS_MAX} characters`);
	}
}
