import { catalogueError, type RivetError } from "@rivetkit/protocol";

export function invalid(detail: string): RivetError {
	return catalogueError("request.invalid", { detail });
}
