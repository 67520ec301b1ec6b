/** How whoever reads a message does what it proposes: at a command line, or as an agent with tools. */
export interface Words {
	/** Who wants to see which actors there are. */
	readonly listActors: string;
	/** Who wants an actor to be made. */
	readonly create: string;
	/** Who wants an imported actor to have another name and key. */
	readonly importAs: string;
	/** Who wants an imported actor to take the place of another one. */
	readonly replace: string;
}

export const COMMAND_WORDS: Words = {
	listActors: "`rivetkit actors list`",
	create: "--create",
	importAs: "--as NAME/KEY",
	replace: "--replace",
};

export const TOOL_WORDS: Words = {
	listActors: "list_actors",
	create: "create: true",
	importAs: 'as: "NAME/KEY"',
	replace: "replace: true",
};
