/** Sets a property of the object itself, also where its prototype has a setter of that name (`__proto__`). */
export function defineOwn(
	target: object,
	name: string,
	value: unknown,
	{ enumerable = true }: { readonly enumerable?: boolean } = {},
): void {
	Object.defineProperty(target, name, { value, configurable: true, enumerable, writable: true });
}
