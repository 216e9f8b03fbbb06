{{/* What the admission of pods asks in more places than one. */}}

{{/* Namespaces whose pods Penstock looks at: an expression of a selector. */}}
{{- define "penstock.governable" -}}
key: kubernetes.io/metadata.name
operator: NotIn
values: {{ concat (list "kube-system" .Release.Namespace) .Values.webhook.excludedNamespaces | uniq | toJson }}
{{- end }}

{{/* Conditions that leave the chart's gateways out. */}}
{{- define "penstock.not-gateways" -}}
{{- range $given := .Values.gateways }}
{{- $gateway := include "penstock.gateway" (dict "root" $ "gateway" $given) | fromYaml }}
- name: is-not-the-gateway-{{ $gateway.name }}
  expression: >-
    !(request.namespace == '{{ $gateway.namespace }}' && has(object.spec.serviceAccountName)
        && object.spec.serviceAccountName == '{{ $gateway.object }}')
{{- end }}
{{- end }}

{{/* Our names, and what looks like them, on the object or its template. Pods with our own go to the injection. */}}
{{- define "penstock.speaks-of-a-gate" -}}
([object.metadata]
 + (has(object.spec) && has(object.spec.template) && has(object.spec.template.metadata)
    ? [object.spec.template.metadata] : [])
 + (has(object.spec) && has(object.spec.jobTemplate) && has(object.spec.jobTemplate.spec.template.metadata)
    ? [object.spec.jobTemplate.spec.template.metadata] : []))
.exists(one,
    (has(one.annotations) && one.annotations.exists(name,
        name.startsWith('penstock.dev/') ? request.kind.kind != 'Pod'
        : name.matches('(?i)(p.?n.?s.?t?.?o.?c?k|penst|nstock)')))
    || (has(one.labels) && one.labels.exists(name,
        name.startsWith('penstock.dev/') ? request.kind.kind != 'Pod'
        : name.matches('(?i)(p.?n.?s.?t?.?o.?c?k|penst|nstock)'))))
{{- end }}

{{/* What makes pods: rules of a webhook. */}}
{{- define "penstock.workloads" -}}
- {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [replicationcontrollers], scope: Namespaced}
- apiGroups: [apps]
  apiVersions: [v1]
  operations: [CREATE, UPDATE]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: [v1]
  operations: [CREATE, UPDATE]
  resources: [jobs, cronjobs]
  scope: Namespaced
{{- end }}
