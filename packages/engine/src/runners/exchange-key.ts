import type { HibernatingRequest } from "@rivetkit/protocol/runner";

/** Names one exchange in maps. */
export function exchangeKey({ gatewayId, requestId }: HibernatingRequest): string {
	return Buffer.concat([gatewayId, requestId]).toString("hex");
}
