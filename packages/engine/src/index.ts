export { createMemoryStore, type MemoryStoreOptions } from "./store/memory/memory-store.ts";
export {
	type ActorRecord,
	type CommitBatch,
	type ListActors,
	type NewActor,
	StaleGenerationError,
	type Store,
	StoreError,
	type StoreErrorCode,
} from "./store/store.ts";
export { TOMBSTONE_LIMITS, type TombstoneLimits } from "./store/tombstones.ts";
