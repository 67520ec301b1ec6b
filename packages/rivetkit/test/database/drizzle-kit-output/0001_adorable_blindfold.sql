ALTER TABLE `posts` ADD `likes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `posts_title` ON `posts` (`title`);