/**
 * Actors as files: one is exported as its last commit left it, and imported as a new one in one commit.
 *
 * - T1. An export wakes nobody and holds up nobody.
 * - T2. What is imported is whole and was checked, or nothing of it is there.
 */
import {
	type Clock,
	catalogueError,
	checkActorName,
	checkKey,
	isActorError,
	parseKey,
	type StorageOp,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { Directory } from "../directory/directory.ts";
import type { ActorRecord, ActorSnapshot, Store } from "../store/store.ts";
import { type ActorFile, ActorFileWriter, invalid, readActorFile } from "./actor-file.ts";

/** What the runtime says of the entries it stores. */
export interface TransferLayout {
	/** Version of their layout; files of a newer one are refused. */
	readonly version: number;
	/** Whether an entry belongs to this very actor (its connections, its token), and so stays behind. */
	staysBehind(key: Uint8Array): boolean;
}

export interface TransfersOptions {
	readonly store: Store;
	readonly directory: Directory;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	/** Of the library. */
	readonly version: string;
	readonly layout: TransferLayout;
	/** Destroys an actor and resolves when all its data is gone. */
	readonly destroy: (actorId: string) => Promise<void>;
	/** Told of the alarm of an actor that was imported. */
	readonly imported: (actorId: string, alarmTs: number | null) => void;
}

/** Where an imported actor goes. */
export interface ImportTarget {
	/** Default: that of the file. */
	readonly name?: string | undefined;
	/** Default: that of the file. */
	readonly key?: readonly string[] | undefined;
	/** Destroys whoever has the name and key now. Default: then the import is refused. */
	readonly replace: boolean;
}

export interface ImportedActor {
	readonly actor: ActorRecord;
	/** Id of the actor it replaced. */
	readonly replaced: string | null;
}

/** Entries that are read at once. */
const ENTRIES_AT_ONCE = 64;

export class Transfers {
	readonly #options: TransfersOptions;
	#exporting = 0;

	constructor(options: TransfersOptions) {
		this.#options = options;
	}

	/** The file of an actor. Throws `actor.not_found`, `transfer.too_many`. */
	async export(actorId: string): Promise<ReadableStream<Uint8Array>> {
		const { store, clock, limits } = this.#options;
		if (this.#exporting >= limits.exportsAtOnceMax) {
			throw catalogueError("transfer.too_many", { limit: limits.exportsAtOnceMax });
		}
		this.#exporting += 1;
		let snapshot: ActorSnapshot | undefined;
		let isOver = false;
		const over = () => {
			if (!isOver) {
				isOver = true;
				this.#exporting -= 1;
				timer?.stop();
				snapshot?.close();
			}
		};
		let timer: ReturnType<Clock["after"]> | undefined;
		try {
			snapshot = await store.openSnapshot(actorId);
			if (!snapshot?.record.initialised) {
				throw catalogueError("actor.not_found", { identifier: actorId });
			}
		} catch (error) {
			over();
			throw error;
		}
		timer = clock.after(limits.exportTimeoutMs, over);
		return this.#stream(snapshot, () => isOver, over);
	}

	#stream(
		snapshot: ActorSnapshot,
		isOver: () => boolean,
		over: () => void,
	): ReadableStream<Uint8Array> {
		const { clock, version, layout, limits } = this.#options;
		const { record } = snapshot;
		const writer = new ActorFileWriter();
		return new ReadableStream<Uint8Array>(
			{
				start: (controller) => {
					controller.enqueue(
						writer.begin({
							layout: layout.version,
							version,
							exportedTs: clock.now(),
							actorId: record.actorId,
							name: record.name,
							key: parseKey(record.key),
							input: record.input,
							crashPolicy: record.crashPolicy,
							createTs: record.createTs,
							startTs: record.startTs,
							alarmTs: record.alarmTs,
						}),
					);
				},
				pull: async (controller) => {
					if (isOver()) {
						throw new Error(
							`The export took over ${limits.exportTimeoutMs} ms (limits.exportTimeoutMs)`,
						);
					}
					for (;;) {
						const read = await snapshot.next(ENTRIES_AT_ONCE);
						if (read.length === 0) {
							over();
							controller.enqueue(writer.end());
							controller.close();
							return;
						}
						const entries = read.filter(([key]) => !layout.staysBehind(key));
						if (entries.length > 0) {
							controller.enqueue(writer.entries(entries));
							return;
						}
					}
				},
				cancel: over,
			},
			{ highWaterMark: 1 },
		);
	}

	/**
	 * Makes an actor of a file, asleep, with an id of its own. Throws `transfer.invalid_file`,
	 * `transfer.newer_file`, `actor.duplicate_key`, `request.invalid`.
	 */
	async import(bytes: Uint8Array, target: ImportTarget): Promise<ImportedActor> {
		const { directory, destroy, imported, layout } = this.#options;
		const file = readActorFile(bytes, layout.version);
		const name = target.name ?? file.header.name;
		const key = target.key ?? file.header.key;
		this.#check(file, { name, key });
		let replaced: string | null = null;
		const holder = await directory.byKey(name, key);
		if (holder !== undefined && target.replace) {
			await destroy(holder.actorId);
			replaced = holder.actorId;
		}
		const actor = await this.#insert(file, name, key);
		imported(actor.actorId, actor.alarmTs);
		return { actor, replaced };
	}

	#check({ header, entries }: ActorFile, target: { name: string; key: readonly string[] }): void {
		const { directory, layout } = this.#options;
		try {
			checkActorName(header.name);
			checkKey(header.key);
		} catch (error) {
			if (!isActorError(error)) throw error;
			throw invalid(`its name or key cannot be used (${error.message})`, error);
		}
		checkActorName(target.name);
		checkKey(target.key);
		directory.checkRegistered(target.name);
		if (entries.some(([key]) => layout.staysBehind(key))) {
			throw invalid("it has entries that no export has");
		}
	}

	async #insert(
		{ header, entries }: ActorFile,
		name: string,
		key: readonly string[],
	): Promise<ActorRecord> {
		const { clock, directory } = this.#options;
		const now = clock.now();
		const ops = entries.map(([entryKey, value]): StorageOp => {
			return { op: "put", key: entryKey, value };
		});
		return directory.import(
			{ name, key, input: header.input, crashPolicy: header.crashPolicy },
			{
				ops,
				alarmTs: header.alarmTs,
				record: {
					initialised: true,
					startTs: header.startTs ?? now,
					connectableTs: null,
					sleepTs: now,
				},
			},
		);
	}
}
