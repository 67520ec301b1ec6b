export { truncateCloseReason } from "@rivetkit/protocol";

/** Normal closure: a kick, a stop, a destroy. */
export const CLOSE_NORMAL = 1000;
/** The server cannot or will not serve the connection; the reason is `group.code`. */
export const CLOSE_REFUSED = 1011;
/** The actor asked that this client stay away: it must not reconnect (lifecycle W-CONN-4). */
export const CLOSE_FINAL = 4000;
