/** What the server that serves custom resources asks of their definitions' rules. */
export {
  type Approval,
  approvalOf,
  isProtectedGroup,
} from './v1/custom-resource-definition/approval.ts';
export { caBundleFault } from './v1/custom-resource-definition/ca-bundle.ts';
