/**
 * The feature gates that kube-apiserver v1.36 knows, by stage: `+` is on by default, `!` cannot be changed. Upstream:
 * pkg/features/kube_features.go, apiserver pkg/features, client-go features, component-base logs and metrics features.
 */

/** As `kubernetes_feature_enabled` names it; generally available ones have none. */
export type Stage = '' | 'ALPHA' | 'BETA' | 'DEPRECATED';

export interface Gate {
  readonly stage: Stage;
  readonly byDefault: boolean;
  readonly isLocked: boolean;
}

const lists: Readonly<Record<Stage, string>> = {
  '': `
    !+APIServerTracing +AllowServiceExternalIPs !+AnonymousAuthConfigurableEndpoints !+AnyVolumeDataSource
    !+AuthorizeNodeWithSelectors !+AuthorizeWithSelectors !+BtreeWatchCache !+CPUManagerPolicyOptions
    !+CRDValidationRatcheting !+CSIServiceAccountTokenSecrets !+ConsistentListFromCache +CustomCPUCFSQuotaPeriod
    !+CustomResourceFieldSelectors !+DRAAdminAccess +DRAPrioritizedList !+DeclarativeValidation
    !+DisableAllocatorDualWrite !+DynamicResourceAllocation !+ExecProbeTimeout !+ExternalServiceAccountTokenSigner
    !+ImageMaximumGCAge !+ImageVolume !+InOrderInformers !+InPlacePodVerticalScaling +InformerResourceVersion
    !+JobBackoffLimitPerIndex !+JobManagedBy !+JobPodReplacementPolicy !+JobSuccessPolicy
    !+KubeletCgroupDriverFromCRI !+KubeletFineGrainedAuthz !+KubeletPSI !+KubeletPodResourcesDynamicResources
    !+KubeletPodResourcesGet !+KubeletTracing !+LogarithmicScaleDown !+MatchLabelKeysInPodAffinity
    !+MultiCIDRServiceAllocator !+MutableCSINodeAllocatableCount +MutatingAdmissionPolicy !+NFTablesProxyMode
    !+NodeInclusionPolicyInPodTopologySpread !+NodeLogQuery !+NodeSwap !+OrderedNamespaceDeletion
    !+PodLifecycleSleepAction !+PodLifecycleSleepActionAllowZero !+PodObservedGenerationTracking
    !+PodSchedulingReadiness !+PreferSameTrafficDistribution !+ProcMountType !+RecoverVolumeExpansionFailure
    !+RecursiveReadOnlyMounts !+RelaxedDNSSearchValidation !+RelaxedEnvironmentVariableValidation
    !+ResilientWatchCacheInitialization !+RetryGenerateName !+SELinuxChangePolicy !+SELinuxMountReadWriteOncePod
    !+SchedulerQueueingHints !+SeparateTaintEvictionController !+ServiceAccountTokenJTI
    !+ServiceAccountTokenNodeBinding !+ServiceAccountTokenNodeBindingValidation !+ServiceAccountTokenPodNodeInfo
    !+SidecarContainers !+StreamingCollectionEncodingToJSON !+StreamingCollectionEncodingToProtobuf
    !+StructuredAuthenticationConfiguration !+SupplementalGroupsPolicy !+SystemdWatchdog
    !+TopologyManagerPolicyOptions !+UserNamespacesSupport !+VolumeAttributesClass !+WinDSR !+WinOverlay
  `,
  BETA: `
    +APIResponseCompression +APIServerIdentity AllBeta +AllowParsingUserUIDFromCertAuth +AtomicFIFO
    +AuthorizePodWebsocketUpgradeCreatePermission +CPUManagerPolicyBetaOptions +CRDObservedGenerationTracking
    +ClearingNominatedNodeNameAfterBinding +ClientsAllowCARotation +ClientsAllowTLSCacheGC ClusterTrustBundle
    ClusterTrustBundleProjection +ComponentFlagz +ComponentStatusz ConcurrentWatchObjectDecode
    +ConstrainedImpersonation +ContainerCheckpoint +ContainerRestartRules +ContextualLogging
    CoordinatedLeaderElection +DRAConsumableCapacity +DRADeviceBindingConditions DRADeviceTaintRules
    +DRADeviceTaints +DRAExtendedResource +DRAPartitionableDevices +DRAResourceClaimDeviceStatus
    +DRAResourceClaimGranularStatusAuthorization +DRASchedulerFilterTimeout +DeclarativeValidationBeta
    +DeploymentReplicaSetTerminatingReplicas +DetectCacheInconsistency +EnvFiles +ExtendWebSocketsToKubelet
    +GracefulNodeShutdown +GracefulNodeShutdownBasedOnPodPriority +HPAConfigurableTolerance +HostnameOverride
    +InOrderInformersBatchProcess +InPlacePodLevelResourcesVerticalScaling
    +InPlacePodVerticalScalingInitContainers +KubeletCrashLoopBackOffMax +KubeletEnsureSecretPulledImages
    +KubeletSeparateDiskGC +KubeletServiceAccountTokenForCredentialProviders +ListFromCacheSnapshot
    LocalStorageCapacityIsolationFSQuotaMonitoring +LoggingBetaOptions +MatchLabelKeysInPodTopologySpread
    +MatchLabelKeysInPodTopologySpreadSelectorMerge MaxUnavailableStatefulSet +MutablePodResourcesForSuspendedJobs
    +MutableSchedulingDirectivesForSuspendedJobs +NodeDeclaredFeatures +NominatedNodeNameForExpectation
    +OpenAPIEnums +OpportunisticBatching +PLEGOnDemandRelist PodCertificateRequest +PodDeletionCost
    +PodLevelResources +PodReadyToStartContainersCondition +PodTopologyLabelsAdmission +PortForwardWebsockets
    +PreventStaticPodAPIReferences +RelaxedServiceNameValidation +ReloadKubeletClientCAFile
    +ReloadKubeletServerCertificateFile +RemoteRequestHeaderUID +ResourceHealthStatus +ResourceHealthStatusMessage
    +RestartAllContainersOnContainerExits +RotateKubeletServerCertificate SELinuxMount SchedulerAsyncAPICalls
    +SchedulerAsyncPreemption +SchedulerPopFromBackoffQ +ServiceAccountNodeAudienceRestriction
    +SizeBasedListCostEstimate +StaleControllerConsistencyDaemonSet +StaleControllerConsistencyJob
    +StaleControllerConsistencyReplicaSet +StaleControllerConsistencyStatefulSet
    +StatefulSetSemanticRevisionComparison +StorageVersionHash StorageVersionMigrator +StrictIPCIDRValidation
    +StructuredAuthenticationConfigurationEgressSelector +StructuredAuthenticationConfigurationJWKSMetrics
    +TokenRequestServiceAccountUIDValidation +TopologyManagerPolicyBetaOptions
    +TranslateStreamCloseWebsocketRequests +UnauthenticatedHTTP2DOSMitigation +UnknownVersionInteroperabilityProxy
    +UnlockWhileProcessingFIFO +WatchCacheInitializationPostStartHook +WatchList +WatchListClient
    +WindowsGracefulNodeShutdown
  `,
  ALPHA: `
    APIServingWithRoutine AllAlpha AllowUnsafeMalformedObjectDeletion CBORServingAndStorage
    CPUManagerPolicyAlphaOptions CRIListStreaming CSIVolumeHealth ClientsAllowCBOR ClientsPreferCBOR
    CloudControllerManagerWatchBasedRoutesReconciliation CloudControllerManagerWebhook ContainerStopSignals
    ControllerManagerReleaseLeaderElectionLockOnExit CrossNamespaceVolumeDataSource DRAListTypeAttributes
    DRANodeAllocatableResources DRAResourcePoolStatus DRAWorkloadResourceClaims EventedPLEG GangScheduling
    GenericWorkload HPAScaleToZero ImageVolumeWithDigest InPlacePodVerticalScalingExclusiveCPUs
    InPlacePodVerticalScalingExclusiveMemory KubeletInUserNamespace LoggingAlphaOptions
    ManifestBasedAdmissionControlConfig MemoryQoS MutablePVNodeAffinity NativeHistograms
    PersistentVolumeClaimUnusedSinceTime PodAndContainerStatsFromCRI PodLevelResourceManagers
    PodLogsQuerySplitStreams PodsAPI QOSReserved ReduceDefaultCrashLoopBackOffDecay RuntimeClassInImageCriApi
    ShardedListAndWatch StorageCapacityScoring StorageVersionAPI TaintTolerationComparisonOperators
    TopologyAwareWorkloadScheduling TopologyManagerPolicyAlphaOptions UserNamespacesHostNetworkSupport
    VolumeLimitScaling WindowsCPUAndMemoryAffinity WorkloadAwarePreemption WorkloadWithJob
  `,
  DEPRECATED: `
    !+AggregatedDiscoveryRemoveBetaType AllowDNSOnlyNodeCSR AllowInsecureKubeletCertificateSigningRequests
    !AllowOverwriteTerminationGracePeriodSeconds ChangeContainerStatusOnKubeletRestart
    DeclarativeValidationTakeover +DisableCPUQuotaWithExclusiveCPUs !+DisableNodeKubeProxyVersion
    !GitRepoVolumeDriver KMSv1 +KubeletPodResourcesListUseActivePods KubeletRegistrationGetOnExistsOnly
    !SeparateCacheWatchRPC +ServiceCIDRStatusFieldWiping +StorageNamespaceIndex WindowsHostNetwork
  `,
};

/** By name. */
export const gates: ReadonlyMap<string, Gate> = new Map(
  Object.entries(lists).flatMap(([stage, text]) =>
    text
      .trim()
      .split(/\s+/)
      .map(word => {
        const gate = { stage: stage as Stage, byDefault: word.includes('+'), isLocked: word.startsWith('!') };
        return [word.replace(/^!?\+?/, ''), gate] as const;
      }),
  ),
);
