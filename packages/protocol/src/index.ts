export { type Clock, systemClock, type Timer } from "./env/clock.ts";
export { type Random, systemRandom } from "./env/random.ts";
export {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorSocketHandler,
	type ActorUpgrade,
	type HeadersView,
	type HostEvents,
	type PreparedMessage,
	type RequestBody,
	type StopIntent,
} from "./host/host.ts";
export type { StorageBatch, StorageOp, StorageRange } from "./host/storage.ts";
