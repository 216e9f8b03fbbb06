{{/* What the collector's pod has for signed checkpoints; nothing where no Secret with a key is named. */}}

{{- define "penstock.checkpoints.env" -}}
{{- with .Values.collector.checkpoints }}
{{- if .secret }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_KEY_FILE, value: /var/run/penstock/checkpoints/checkpoint.key}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_MINUTES, value: {{ .minutes | quote }}}
{{- if .existingClaim }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_DIRECTORY, value: /var/lib/penstock-checkpoints}
{{- end }}
{{- if .git.url }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_GIT_URL, value: {{ .git.url | quote }}}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_GIT_BRANCH, value: {{ .git.branch | quote }}}
{{- if .git.user }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_GIT_USER, value: {{ .git.user | quote }}}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_GIT_PASSWORD_FILE, value: /var/run/penstock/checkpoints/git-password}
{{- end }}
{{- end }}
{{- if .s3.url }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_S3_URL, value: {{ .s3.url | quote }}}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_S3_REGION, value: {{ .s3.region | quote }}}
{{- if .s3.keysInSecret }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_S3_ACCESS_KEY_FILE, value: /var/run/penstock/checkpoints/s3-access-key}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_S3_SECRET_KEY_FILE, value: /var/run/penstock/checkpoints/s3-secret-key}
{{- end }}
{{- end }}
{{- if .ownCa }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_CA_FILE, value: /var/run/penstock/checkpoints/ca.crt}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "penstock.checkpoints.mounts" -}}
{{- with .Values.collector.checkpoints }}
{{- if .secret }}
- {name: checkpoint-key, mountPath: /var/run/penstock/checkpoints, readOnly: true}
{{- if .existingClaim }}
- {name: checkpoints, mountPath: /var/lib/penstock-checkpoints}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "penstock.checkpoints.volumes" -}}
{{- with .Values.collector.checkpoints }}
{{- if .secret }}
- {name: checkpoint-key, secret: {secretName: {{ .secret }}}}
{{- if .existingClaim }}
- {name: checkpoints, persistentVolumeClaim: {claimName: {{ .existingClaim }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
