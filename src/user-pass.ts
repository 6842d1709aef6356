/**
 * `name:password` in base64: what Basic authentication sends, and what docker's config keeps.
 * @see https://www.rfc-editor.org/rfc/rfc7617#section-2
 */
export function userPass(login: {readonly username: string; readonly password: string}): string {
  return Buffer.from(`${login.username}:${login.password}`, 'utf8').toString('base64');
}
