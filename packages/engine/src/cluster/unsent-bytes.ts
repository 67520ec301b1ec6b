/**
 * Bytes of one client, and of all that come over a link, that may wait to be sent over it. One that was held has as many by
 * default when its actor wakes (`webSocketPendingBytesMax`), and sends them all at once.
 */
const BYTES_MAX = 128 * 1024 * 1024;
const BYTES_OF_ALL_MAX = 192 * 1024 * 1024;
/** What each may have once there are too many of all: those with little go on. */
const BYTES_THEN_MAX = 1024 * 1024;

/** One that sends. */
export interface Sender {
	/** Bytes that it has sent and that have not left this process. */
	unsent: number;
}

/** What clients have sent faster than their link takes it: nobody may fill it, which would cut it for all. */
export class UnsentBytes {
	#ofAll = 0;

	/** Called when they have left; undefined when that is too much. One message of any size is not. */
	add(sender: Sender, bytes: number): (() => void) | undefined {
		const max = this.#ofAll > BYTES_OF_ALL_MAX ? BYTES_THEN_MAX : BYTES_MAX;
		if (sender.unsent > 0 && sender.unsent + bytes > max) {
			return undefined;
		}
		sender.unsent += bytes;
		this.#ofAll += bytes;
		return () => {
			sender.unsent -= bytes;
			this.#ofAll -= bytes;
		};
	}
}
