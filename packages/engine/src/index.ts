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
