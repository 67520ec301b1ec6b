/** What is wrong with an OpenAPI 3.1 document, as far as this project's documents use the format. */
export function checkOpenApi(document: unknown): string[] {
	const problems: string[] = [];
	const root = document as {
		openapi: string;
		info: { title?: string; version?: string };
		paths: Record<string, Record<string, Operation>>;
		components: { schemas: Record<string, unknown> };
	};
	const check = (ok: boolean, problem: string) => {
		if (!ok) {
			problems.push(problem);
		}
	};
	check(/^3\.1\.\d+$/.test(root.openapi), `openapi is ${root.openapi}`);
	check(typeof root.info?.title === "string", "info has no title");
	check(typeof root.info?.version === "string", "info has no version");
	const ids = new Set<string>();
	for (const [path, item] of Object.entries(root.paths)) {
		check(path.startsWith("/"), `path ${path} does not start with /`);
		for (const [method, operation] of Object.entries(item)) {
			const where = `${method} ${path}`;
			check(["get", "put", "post", "delete"].includes(method), `${where}: unknown method`);
			check(!ids.has(operation.operationId), `${where}: operationId is taken`);
			ids.add(operation.operationId);
			const parameters = operation.parameters ?? [];
			for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
				const found = parameters.some(
					(one) => one.in === "path" && one.name === name && one.required === true,
				);
				check(found, `${where}: path parameter ${name} is not described`);
			}
			for (const parameter of parameters) {
				check(["path", "query"].includes(parameter.in), `${where}: parameter in ${parameter.in}`);
				check(isSchema(parameter.schema), `${where}: ${parameter.name} has no schema`);
			}
			for (const [status, response] of Object.entries(operation.responses)) {
				check(/^[1-5]\d\d$/.test(status), `${where}: status ${status}`);
				check(typeof response.description === "string", `${where} ${status}: no description`);
			}
		}
	}
	const text = JSON.stringify(document);
	for (const [, reference] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
		const name = /^#\/components\/schemas\/(\w+)$/.exec(reference!)?.[1];
		check(
			name !== undefined && Object.hasOwn(root.components.schemas, name),
			`${reference} leads nowhere`,
		);
	}
	return problems;
}

interface Operation {
	readonly operationId: string;
	readonly parameters?: { name: string; in: string; required?: boolean; schema: unknown }[];
	readonly responses: Record<string, { description?: string }>;
}

function isSchema(value: unknown): boolean {
	return typeof value === "object" && value !== null;
}
