import { ENGINE_OPERATIONS } from "./engine-contract.ts";
import { openApiDocument } from "./openapi.ts";

/** The OpenAPI 3.1 document of the management API of an engine apart from any application. */
export function engineOpenApiDocument(version: string) {
	return openApiDocument(version, {
		title: "RivetKit engine management API",
		operations: ENGINE_OPERATIONS,
	});
}
