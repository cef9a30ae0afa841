import type { LexicalFault, Token } from './lexer.ts';
import type { IssueList } from './source.ts';
export function reportSyntaxErrors(tokens: readonly Token[], faults: readonly LexicalFault[], issues: IssueList): void {
  void tokens;
  for (const fault of faults)
    issues.add(issues.source.location(fault.start), `Syntax error: token recognition error at: '${fault.text}'`);
  if (faults.length === 0) issues.add({ line: 1, column: 0 }, 'Syntax error');
}
