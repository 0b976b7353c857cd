import { z } from 'zod';

/** How a request becomes a script and its variables. */
export const cgiSchema = z
  .strictObject({
    root: z
      .string()
      .default('')
      .describe(
        'Where the application has its files, as it sees them itself: DOCUMENT_ROOT, and the beginning of SCRIPT_FILENAME.',
      ),
    index: z
      .string()
      .default('')
      .describe('The script for paths that end with a slash, such as `index.php`. Empty: none.'),
    split: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Ends of script names, such as `.php`: a path is cut behind the first one that ends a segment, and the rest is PATH_INFO. ' +
          'Without any, the whole path is PATH_INFO of one application, mounted at `prefix`.',
      ),
    prefix: z.string().default('').describe('Where the application is mounted: SCRIPT_NAME when nothing is split.'),
    env: z.record(z.string(), z.string()).default({}).describe('More variables.'),
  })
  .meta({ title: 'cgi' });

export type CgiOptions = Readonly<z.output<typeof cgiSchema>>;
