package dev.runwire.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Starts runs, follows them, and steers them.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class RunnerServiceGrpc {

  private RunnerServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "runwire.v1.RunnerService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.RunRequest,
      dev.runwire.v1.RunResponse> getRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Run",
      requestType = dev.runwire.v1.RunRequest.class,
      responseType = dev.runwire.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.RunRequest,
      dev.runwire.v1.RunResponse> getRunMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.RunRequest, dev.runwire.v1.RunResponse> getRunMethod;
    if ((getRunMethod = RunnerServiceGrpc.getRunMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getRunMethod = RunnerServiceGrpc.getRunMethod) == null) {
          RunnerServiceGrpc.getRunMethod = getRunMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.RunRequest, dev.runwire.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Run"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.RunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("Run"))
              .build();
        }
      }
    }
    return getRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.AttachRequest,
      dev.runwire.v1.AttachResponse> getAttachMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Attach",
      requestType = dev.runwire.v1.AttachRequest.class,
      responseType = dev.runwire.v1.AttachResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.AttachRequest,
      dev.runwire.v1.AttachResponse> getAttachMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.AttachRequest, dev.runwire.v1.AttachResponse> getAttachMethod;
    if ((getAttachMethod = RunnerServiceGrpc.getAttachMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getAttachMethod = RunnerServiceGrpc.getAttachMethod) == null) {
          RunnerServiceGrpc.getAttachMethod = getAttachMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.AttachRequest, dev.runwire.v1.AttachResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Attach"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.AttachRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.AttachResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("Attach"))
              .build();
        }
      }
    }
    return getAttachMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.CancelRequest,
      dev.runwire.v1.CancelResponse> getCancelMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Cancel",
      requestType = dev.runwire.v1.CancelRequest.class,
      responseType = dev.runwire.v1.CancelResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.CancelRequest,
      dev.runwire.v1.CancelResponse> getCancelMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.CancelRequest, dev.runwire.v1.CancelResponse> getCancelMethod;
    if ((getCancelMethod = RunnerServiceGrpc.getCancelMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getCancelMethod = RunnerServiceGrpc.getCancelMethod) == null) {
          RunnerServiceGrpc.getCancelMethod = getCancelMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.CancelRequest, dev.runwire.v1.CancelResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Cancel"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CancelRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CancelResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("Cancel"))
              .build();
        }
      }
    }
    return getCancelMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.RunStatusRequest,
      dev.runwire.v1.RunStatusResponse> getRunStatusMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RunStatus",
      requestType = dev.runwire.v1.RunStatusRequest.class,
      responseType = dev.runwire.v1.RunStatusResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.RunStatusRequest,
      dev.runwire.v1.RunStatusResponse> getRunStatusMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.RunStatusRequest, dev.runwire.v1.RunStatusResponse> getRunStatusMethod;
    if ((getRunStatusMethod = RunnerServiceGrpc.getRunStatusMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getRunStatusMethod = RunnerServiceGrpc.getRunStatusMethod) == null) {
          RunnerServiceGrpc.getRunStatusMethod = getRunStatusMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.RunStatusRequest, dev.runwire.v1.RunStatusResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RunStatus"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.RunStatusRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.RunStatusResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("RunStatus"))
              .build();
        }
      }
    }
    return getRunStatusMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.WaitRunRequest,
      dev.runwire.v1.WaitRunResponse> getWaitRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WaitRun",
      requestType = dev.runwire.v1.WaitRunRequest.class,
      responseType = dev.runwire.v1.WaitRunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.WaitRunRequest,
      dev.runwire.v1.WaitRunResponse> getWaitRunMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.WaitRunRequest, dev.runwire.v1.WaitRunResponse> getWaitRunMethod;
    if ((getWaitRunMethod = RunnerServiceGrpc.getWaitRunMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getWaitRunMethod = RunnerServiceGrpc.getWaitRunMethod) == null) {
          RunnerServiceGrpc.getWaitRunMethod = getWaitRunMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.WaitRunRequest, dev.runwire.v1.WaitRunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WaitRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.WaitRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.WaitRunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("WaitRun"))
              .build();
        }
      }
    }
    return getWaitRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.ListRunsRequest,
      dev.runwire.v1.ListRunsResponse> getListRunsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRuns",
      requestType = dev.runwire.v1.ListRunsRequest.class,
      responseType = dev.runwire.v1.ListRunsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.ListRunsRequest,
      dev.runwire.v1.ListRunsResponse> getListRunsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.ListRunsRequest, dev.runwire.v1.ListRunsResponse> getListRunsMethod;
    if ((getListRunsMethod = RunnerServiceGrpc.getListRunsMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getListRunsMethod = RunnerServiceGrpc.getListRunsMethod) == null) {
          RunnerServiceGrpc.getListRunsMethod = getListRunsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.ListRunsRequest, dev.runwire.v1.ListRunsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRuns"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListRunsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListRunsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("ListRuns"))
              .build();
        }
      }
    }
    return getListRunsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.ListRunEventsRequest,
      dev.runwire.v1.ListRunEventsResponse> getListRunEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRunEvents",
      requestType = dev.runwire.v1.ListRunEventsRequest.class,
      responseType = dev.runwire.v1.ListRunEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.ListRunEventsRequest,
      dev.runwire.v1.ListRunEventsResponse> getListRunEventsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.ListRunEventsRequest, dev.runwire.v1.ListRunEventsResponse> getListRunEventsMethod;
    if ((getListRunEventsMethod = RunnerServiceGrpc.getListRunEventsMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getListRunEventsMethod = RunnerServiceGrpc.getListRunEventsMethod) == null) {
          RunnerServiceGrpc.getListRunEventsMethod = getListRunEventsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.ListRunEventsRequest, dev.runwire.v1.ListRunEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRunEvents"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListRunEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListRunEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("ListRunEvents"))
              .build();
        }
      }
    }
    return getListRunEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.EnqueueMessageRequest,
      dev.runwire.v1.EnqueueMessageResponse> getEnqueueMessageMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "EnqueueMessage",
      requestType = dev.runwire.v1.EnqueueMessageRequest.class,
      responseType = dev.runwire.v1.EnqueueMessageResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.EnqueueMessageRequest,
      dev.runwire.v1.EnqueueMessageResponse> getEnqueueMessageMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.EnqueueMessageRequest, dev.runwire.v1.EnqueueMessageResponse> getEnqueueMessageMethod;
    if ((getEnqueueMessageMethod = RunnerServiceGrpc.getEnqueueMessageMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getEnqueueMessageMethod = RunnerServiceGrpc.getEnqueueMessageMethod) == null) {
          RunnerServiceGrpc.getEnqueueMessageMethod = getEnqueueMessageMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.EnqueueMessageRequest, dev.runwire.v1.EnqueueMessageResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "EnqueueMessage"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.EnqueueMessageRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.EnqueueMessageResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("EnqueueMessage"))
              .build();
        }
      }
    }
    return getEnqueueMessageMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.CancelQueuedMessagesRequest,
      dev.runwire.v1.CancelQueuedMessagesResponse> getCancelQueuedMessagesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CancelQueuedMessages",
      requestType = dev.runwire.v1.CancelQueuedMessagesRequest.class,
      responseType = dev.runwire.v1.CancelQueuedMessagesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.CancelQueuedMessagesRequest,
      dev.runwire.v1.CancelQueuedMessagesResponse> getCancelQueuedMessagesMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.CancelQueuedMessagesRequest, dev.runwire.v1.CancelQueuedMessagesResponse> getCancelQueuedMessagesMethod;
    if ((getCancelQueuedMessagesMethod = RunnerServiceGrpc.getCancelQueuedMessagesMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getCancelQueuedMessagesMethod = RunnerServiceGrpc.getCancelQueuedMessagesMethod) == null) {
          RunnerServiceGrpc.getCancelQueuedMessagesMethod = getCancelQueuedMessagesMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.CancelQueuedMessagesRequest, dev.runwire.v1.CancelQueuedMessagesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CancelQueuedMessages"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CancelQueuedMessagesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CancelQueuedMessagesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("CancelQueuedMessages"))
              .build();
        }
      }
    }
    return getCancelQueuedMessagesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.ResolveApprovalRequest,
      dev.runwire.v1.ResolveApprovalResponse> getResolveApprovalMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ResolveApproval",
      requestType = dev.runwire.v1.ResolveApprovalRequest.class,
      responseType = dev.runwire.v1.ResolveApprovalResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.ResolveApprovalRequest,
      dev.runwire.v1.ResolveApprovalResponse> getResolveApprovalMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.ResolveApprovalRequest, dev.runwire.v1.ResolveApprovalResponse> getResolveApprovalMethod;
    if ((getResolveApprovalMethod = RunnerServiceGrpc.getResolveApprovalMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getResolveApprovalMethod = RunnerServiceGrpc.getResolveApprovalMethod) == null) {
          RunnerServiceGrpc.getResolveApprovalMethod = getResolveApprovalMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.ResolveApprovalRequest, dev.runwire.v1.ResolveApprovalResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ResolveApproval"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ResolveApprovalRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ResolveApprovalResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("ResolveApproval"))
              .build();
        }
      }
    }
    return getResolveApprovalMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.SubmitToolOutputsRequest,
      dev.runwire.v1.SubmitToolOutputsResponse> getSubmitToolOutputsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SubmitToolOutputs",
      requestType = dev.runwire.v1.SubmitToolOutputsRequest.class,
      responseType = dev.runwire.v1.SubmitToolOutputsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.SubmitToolOutputsRequest,
      dev.runwire.v1.SubmitToolOutputsResponse> getSubmitToolOutputsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.SubmitToolOutputsRequest, dev.runwire.v1.SubmitToolOutputsResponse> getSubmitToolOutputsMethod;
    if ((getSubmitToolOutputsMethod = RunnerServiceGrpc.getSubmitToolOutputsMethod) == null) {
      synchronized (RunnerServiceGrpc.class) {
        if ((getSubmitToolOutputsMethod = RunnerServiceGrpc.getSubmitToolOutputsMethod) == null) {
          RunnerServiceGrpc.getSubmitToolOutputsMethod = getSubmitToolOutputsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.SubmitToolOutputsRequest, dev.runwire.v1.SubmitToolOutputsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SubmitToolOutputs"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.SubmitToolOutputsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.SubmitToolOutputsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunnerServiceMethodDescriptorSupplier("SubmitToolOutputs"))
              .build();
        }
      }
    }
    return getSubmitToolOutputsMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static RunnerServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunnerServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunnerServiceStub>() {
        @java.lang.Override
        public RunnerServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunnerServiceStub(channel, callOptions);
        }
      };
    return RunnerServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static RunnerServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunnerServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunnerServiceBlockingV2Stub>() {
        @java.lang.Override
        public RunnerServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunnerServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return RunnerServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static RunnerServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunnerServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunnerServiceBlockingStub>() {
        @java.lang.Override
        public RunnerServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunnerServiceBlockingStub(channel, callOptions);
        }
      };
    return RunnerServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static RunnerServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunnerServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunnerServiceFutureStub>() {
        @java.lang.Override
        public RunnerServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunnerServiceFutureStub(channel, callOptions);
        }
      };
    return RunnerServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Starts runs, follows them, and steers them.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Starts a run and streams its events until it ends. The first event is run_started, the last completion; the
     * stream then ends with OK, whatever the outcome. The initial metadata has x-request-id. Losing the stream is not
     * a cancel: continue with Attach. Calling again with the same request_id and the same request joins the run.
     * </pre>
     */
    default void run(dev.runwire.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams the events of a run after a sequence, stored ones first, then live ones, without a gap or a repeat.
     * </pre>
     */
    default void attach(dev.runwire.v1.AttachRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.AttachResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getAttachMethod(), responseObserver);
    }

    /**
     * <pre>
     * Asks a run to stop. On a run that has ended it changes nothing. One that overtakes its Run is remembered for a
     * minute, and the run that comes is cancelled at once.
     * </pre>
     */
    default void cancel(dev.runwire.v1.CancelRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CancelResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelMethod(), responseObserver);
    }

    /**
     * <pre>
     * Tells how a run is, also after its end.
     * </pre>
     */
    default void runStatus(dev.runwire.v1.RunStatusRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.RunStatusResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRunStatusMethod(), responseObserver);
    }

    /**
     * <pre>
     * Waits until a run ends or waits for an answer, or the timeout passes. The last is not an error: look at the state.
     * </pre>
     */
    default void waitRun(dev.runwire.v1.WaitRunRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.WaitRunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWaitRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists runs, newest first.
     * </pre>
     */
    default void listRuns(dev.runwire.v1.ListRunsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListRunsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRunsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the durable events of a run, oldest first, without waiting for new ones.
     * </pre>
     */
    default void listRunEvents(dev.runwire.v1.ListRunEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListRunEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRunEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gives a live run a user message, which it reads before its next model call.
     * </pre>
     */
    default void enqueueMessage(dev.runwire.v1.EnqueueMessageRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.EnqueueMessageResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getEnqueueMessageMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes back the messages that a run has not read yet.
     * </pre>
     */
    default void cancelQueuedMessages(dev.runwire.v1.CancelQueuedMessagesRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CancelQueuedMessagesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelQueuedMessagesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers an approval, and lets the run go on. The first answer counts; repeating it is OK, another one is
     * FAILED_PRECONDITION.
     * </pre>
     */
    default void resolveApproval(dev.runwire.v1.ResolveApprovalRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ResolveApprovalResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResolveApprovalMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gives the outputs of tool calls that the caller executes.
     * </pre>
     */
    default void submitToolOutputs(dev.runwire.v1.SubmitToolOutputsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.SubmitToolOutputsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSubmitToolOutputsMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service RunnerService.
   * <pre>
   * Starts runs, follows them, and steers them.
   * </pre>
   */
  public static abstract class RunnerServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return RunnerServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service RunnerService.
   * <pre>
   * Starts runs, follows them, and steers them.
   * </pre>
   */
  public static final class RunnerServiceStub
      extends io.grpc.stub.AbstractAsyncStub<RunnerServiceStub> {
    private RunnerServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunnerServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunnerServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts a run and streams its events until it ends. The first event is run_started, the last completion; the
     * stream then ends with OK, whatever the outcome. The initial metadata has x-request-id. Losing the stream is not
     * a cancel: continue with Attach. Calling again with the same request_id and the same request joins the run.
     * </pre>
     */
    public void run(dev.runwire.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams the events of a run after a sequence, stored ones first, then live ones, without a gap or a repeat.
     * </pre>
     */
    public void attach(dev.runwire.v1.AttachRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.AttachResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getAttachMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Asks a run to stop. On a run that has ended it changes nothing. One that overtakes its Run is remembered for a
     * minute, and the run that comes is cancelled at once.
     * </pre>
     */
    public void cancel(dev.runwire.v1.CancelRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CancelResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Tells how a run is, also after its end.
     * </pre>
     */
    public void runStatus(dev.runwire.v1.RunStatusRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.RunStatusResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRunStatusMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Waits until a run ends or waits for an answer, or the timeout passes. The last is not an error: look at the state.
     * </pre>
     */
    public void waitRun(dev.runwire.v1.WaitRunRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.WaitRunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWaitRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists runs, newest first.
     * </pre>
     */
    public void listRuns(dev.runwire.v1.ListRunsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListRunsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRunsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the durable events of a run, oldest first, without waiting for new ones.
     * </pre>
     */
    public void listRunEvents(dev.runwire.v1.ListRunEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListRunEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRunEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Gives a live run a user message, which it reads before its next model call.
     * </pre>
     */
    public void enqueueMessage(dev.runwire.v1.EnqueueMessageRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.EnqueueMessageResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getEnqueueMessageMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Takes back the messages that a run has not read yet.
     * </pre>
     */
    public void cancelQueuedMessages(dev.runwire.v1.CancelQueuedMessagesRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CancelQueuedMessagesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelQueuedMessagesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers an approval, and lets the run go on. The first answer counts; repeating it is OK, another one is
     * FAILED_PRECONDITION.
     * </pre>
     */
    public void resolveApproval(dev.runwire.v1.ResolveApprovalRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ResolveApprovalResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResolveApprovalMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Gives the outputs of tool calls that the caller executes.
     * </pre>
     */
    public void submitToolOutputs(dev.runwire.v1.SubmitToolOutputsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.SubmitToolOutputsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSubmitToolOutputsMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service RunnerService.
   * <pre>
   * Starts runs, follows them, and steers them.
   * </pre>
   */
  public static final class RunnerServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<RunnerServiceBlockingV2Stub> {
    private RunnerServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunnerServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunnerServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts a run and streams its events until it ends. The first event is run_started, the last completion; the
     * stream then ends with OK, whatever the outcome. The initial metadata has x-request-id. Losing the stream is not
     * a cancel: continue with Attach. Calling again with the same request_id and the same request joins the run.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.runwire.v1.RunResponse>
        run(dev.runwire.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the events of a run after a sequence, stored ones first, then live ones, without a gap or a repeat.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.runwire.v1.AttachResponse>
        attach(dev.runwire.v1.AttachRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getAttachMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Asks a run to stop. On a run that has ended it changes nothing. One that overtakes its Run is remembered for a
     * minute, and the run that comes is cancelled at once.
     * </pre>
     */
    public dev.runwire.v1.CancelResponse cancel(dev.runwire.v1.CancelRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Tells how a run is, also after its end.
     * </pre>
     */
    public dev.runwire.v1.RunStatusResponse runStatus(dev.runwire.v1.RunStatusRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRunStatusMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until a run ends or waits for an answer, or the timeout passes. The last is not an error: look at the state.
     * </pre>
     */
    public dev.runwire.v1.WaitRunResponse waitRun(dev.runwire.v1.WaitRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWaitRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists runs, newest first.
     * </pre>
     */
    public dev.runwire.v1.ListRunsResponse listRuns(dev.runwire.v1.ListRunsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRunsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the durable events of a run, oldest first, without waiting for new ones.
     * </pre>
     */
    public dev.runwire.v1.ListRunEventsResponse listRunEvents(dev.runwire.v1.ListRunEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRunEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives a live run a user message, which it reads before its next model call.
     * </pre>
     */
    public dev.runwire.v1.EnqueueMessageResponse enqueueMessage(dev.runwire.v1.EnqueueMessageRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getEnqueueMessageMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes back the messages that a run has not read yet.
     * </pre>
     */
    public dev.runwire.v1.CancelQueuedMessagesResponse cancelQueuedMessages(dev.runwire.v1.CancelQueuedMessagesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelQueuedMessagesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers an approval, and lets the run go on. The first answer counts; repeating it is OK, another one is
     * FAILED_PRECONDITION.
     * </pre>
     */
    public dev.runwire.v1.ResolveApprovalResponse resolveApproval(dev.runwire.v1.ResolveApprovalRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResolveApprovalMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives the outputs of tool calls that the caller executes.
     * </pre>
     */
    public dev.runwire.v1.SubmitToolOutputsResponse submitToolOutputs(dev.runwire.v1.SubmitToolOutputsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSubmitToolOutputsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service RunnerService.
   * <pre>
   * Starts runs, follows them, and steers them.
   * </pre>
   */
  public static final class RunnerServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<RunnerServiceBlockingStub> {
    private RunnerServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunnerServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunnerServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts a run and streams its events until it ends. The first event is run_started, the last completion; the
     * stream then ends with OK, whatever the outcome. The initial metadata has x-request-id. Losing the stream is not
     * a cancel: continue with Attach. Calling again with the same request_id and the same request joins the run.
     * </pre>
     */
    public java.util.Iterator<dev.runwire.v1.RunResponse> run(
        dev.runwire.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the events of a run after a sequence, stored ones first, then live ones, without a gap or a repeat.
     * </pre>
     */
    public java.util.Iterator<dev.runwire.v1.AttachResponse> attach(
        dev.runwire.v1.AttachRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getAttachMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Asks a run to stop. On a run that has ended it changes nothing. One that overtakes its Run is remembered for a
     * minute, and the run that comes is cancelled at once.
     * </pre>
     */
    public dev.runwire.v1.CancelResponse cancel(dev.runwire.v1.CancelRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Tells how a run is, also after its end.
     * </pre>
     */
    public dev.runwire.v1.RunStatusResponse runStatus(dev.runwire.v1.RunStatusRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRunStatusMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until a run ends or waits for an answer, or the timeout passes. The last is not an error: look at the state.
     * </pre>
     */
    public dev.runwire.v1.WaitRunResponse waitRun(dev.runwire.v1.WaitRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWaitRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists runs, newest first.
     * </pre>
     */
    public dev.runwire.v1.ListRunsResponse listRuns(dev.runwire.v1.ListRunsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRunsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the durable events of a run, oldest first, without waiting for new ones.
     * </pre>
     */
    public dev.runwire.v1.ListRunEventsResponse listRunEvents(dev.runwire.v1.ListRunEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRunEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives a live run a user message, which it reads before its next model call.
     * </pre>
     */
    public dev.runwire.v1.EnqueueMessageResponse enqueueMessage(dev.runwire.v1.EnqueueMessageRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getEnqueueMessageMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes back the messages that a run has not read yet.
     * </pre>
     */
    public dev.runwire.v1.CancelQueuedMessagesResponse cancelQueuedMessages(dev.runwire.v1.CancelQueuedMessagesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelQueuedMessagesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers an approval, and lets the run go on. The first answer counts; repeating it is OK, another one is
     * FAILED_PRECONDITION.
     * </pre>
     */
    public dev.runwire.v1.ResolveApprovalResponse resolveApproval(dev.runwire.v1.ResolveApprovalRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResolveApprovalMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives the outputs of tool calls that the caller executes.
     * </pre>
     */
    public dev.runwire.v1.SubmitToolOutputsResponse submitToolOutputs(dev.runwire.v1.SubmitToolOutputsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSubmitToolOutputsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service RunnerService.
   * <pre>
   * Starts runs, follows them, and steers them.
   * </pre>
   */
  public static final class RunnerServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<RunnerServiceFutureStub> {
    private RunnerServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunnerServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunnerServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Asks a run to stop. On a run that has ended it changes nothing. One that overtakes its Run is remembered for a
     * minute, and the run that comes is cancelled at once.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.CancelResponse> cancel(
        dev.runwire.v1.CancelRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Tells how a run is, also after its end.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.RunStatusResponse> runStatus(
        dev.runwire.v1.RunStatusRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRunStatusMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Waits until a run ends or waits for an answer, or the timeout passes. The last is not an error: look at the state.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.WaitRunResponse> waitRun(
        dev.runwire.v1.WaitRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWaitRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists runs, newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.ListRunsResponse> listRuns(
        dev.runwire.v1.ListRunsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRunsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the durable events of a run, oldest first, without waiting for new ones.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.ListRunEventsResponse> listRunEvents(
        dev.runwire.v1.ListRunEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRunEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Gives a live run a user message, which it reads before its next model call.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.EnqueueMessageResponse> enqueueMessage(
        dev.runwire.v1.EnqueueMessageRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getEnqueueMessageMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Takes back the messages that a run has not read yet.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.CancelQueuedMessagesResponse> cancelQueuedMessages(
        dev.runwire.v1.CancelQueuedMessagesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelQueuedMessagesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers an approval, and lets the run go on. The first answer counts; repeating it is OK, another one is
     * FAILED_PRECONDITION.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.ResolveApprovalResponse> resolveApproval(
        dev.runwire.v1.ResolveApprovalRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResolveApprovalMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Gives the outputs of tool calls that the caller executes.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.SubmitToolOutputsResponse> submitToolOutputs(
        dev.runwire.v1.SubmitToolOutputsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSubmitToolOutputsMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_RUN = 0;
  private static final int METHODID_ATTACH = 1;
  private static final int METHODID_CANCEL = 2;
  private static final int METHODID_RUN_STATUS = 3;
  private static final int METHODID_WAIT_RUN = 4;
  private static final int METHODID_LIST_RUNS = 5;
  private static final int METHODID_LIST_RUN_EVENTS = 6;
  private static final int METHODID_ENQUEUE_MESSAGE = 7;
  private static final int METHODID_CANCEL_QUEUED_MESSAGES = 8;
  private static final int METHODID_RESOLVE_APPROVAL = 9;
  private static final int METHODID_SUBMIT_TOOL_OUTPUTS = 10;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_RUN:
          serviceImpl.run((dev.runwire.v1.RunRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.RunResponse>) responseObserver);
          break;
        case METHODID_ATTACH:
          serviceImpl.attach((dev.runwire.v1.AttachRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.AttachResponse>) responseObserver);
          break;
        case METHODID_CANCEL:
          serviceImpl.cancel((dev.runwire.v1.CancelRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.CancelResponse>) responseObserver);
          break;
        case METHODID_RUN_STATUS:
          serviceImpl.runStatus((dev.runwire.v1.RunStatusRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.RunStatusResponse>) responseObserver);
          break;
        case METHODID_WAIT_RUN:
          serviceImpl.waitRun((dev.runwire.v1.WaitRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.WaitRunResponse>) responseObserver);
          break;
        case METHODID_LIST_RUNS:
          serviceImpl.listRuns((dev.runwire.v1.ListRunsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.ListRunsResponse>) responseObserver);
          break;
        case METHODID_LIST_RUN_EVENTS:
          serviceImpl.listRunEvents((dev.runwire.v1.ListRunEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.ListRunEventsResponse>) responseObserver);
          break;
        case METHODID_ENQUEUE_MESSAGE:
          serviceImpl.enqueueMessage((dev.runwire.v1.EnqueueMessageRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.EnqueueMessageResponse>) responseObserver);
          break;
        case METHODID_CANCEL_QUEUED_MESSAGES:
          serviceImpl.cancelQueuedMessages((dev.runwire.v1.CancelQueuedMessagesRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.CancelQueuedMessagesResponse>) responseObserver);
          break;
        case METHODID_RESOLVE_APPROVAL:
          serviceImpl.resolveApproval((dev.runwire.v1.ResolveApprovalRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.ResolveApprovalResponse>) responseObserver);
          break;
        case METHODID_SUBMIT_TOOL_OUTPUTS:
          serviceImpl.submitToolOutputs((dev.runwire.v1.SubmitToolOutputsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.SubmitToolOutputsResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getRunMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.runwire.v1.RunRequest,
              dev.runwire.v1.RunResponse>(
                service, METHODID_RUN)))
        .addMethod(
          getAttachMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.runwire.v1.AttachRequest,
              dev.runwire.v1.AttachResponse>(
                service, METHODID_ATTACH)))
        .addMethod(
          getCancelMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.CancelRequest,
              dev.runwire.v1.CancelResponse>(
                service, METHODID_CANCEL)))
        .addMethod(
          getRunStatusMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.RunStatusRequest,
              dev.runwire.v1.RunStatusResponse>(
                service, METHODID_RUN_STATUS)))
        .addMethod(
          getWaitRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.WaitRunRequest,
              dev.runwire.v1.WaitRunResponse>(
                service, METHODID_WAIT_RUN)))
        .addMethod(
          getListRunsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.ListRunsRequest,
              dev.runwire.v1.ListRunsResponse>(
                service, METHODID_LIST_RUNS)))
        .addMethod(
          getListRunEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.ListRunEventsRequest,
              dev.runwire.v1.ListRunEventsResponse>(
                service, METHODID_LIST_RUN_EVENTS)))
        .addMethod(
          getEnqueueMessageMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.EnqueueMessageRequest,
              dev.runwire.v1.EnqueueMessageResponse>(
                service, METHODID_ENQUEUE_MESSAGE)))
        .addMethod(
          getCancelQueuedMessagesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.CancelQueuedMessagesRequest,
              dev.runwire.v1.CancelQueuedMessagesResponse>(
                service, METHODID_CANCEL_QUEUED_MESSAGES)))
        .addMethod(
          getResolveApprovalMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.ResolveApprovalRequest,
              dev.runwire.v1.ResolveApprovalResponse>(
                service, METHODID_RESOLVE_APPROVAL)))
        .addMethod(
          getSubmitToolOutputsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.SubmitToolOutputsRequest,
              dev.runwire.v1.SubmitToolOutputsResponse>(
                service, METHODID_SUBMIT_TOOL_OUTPUTS)))
        .build();
  }

  private static abstract class RunnerServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    RunnerServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.runwire.v1.RunnerServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("RunnerService");
    }
  }

  private static final class RunnerServiceFileDescriptorSupplier
      extends RunnerServiceBaseDescriptorSupplier {
    RunnerServiceFileDescriptorSupplier() {}
  }

  private static final class RunnerServiceMethodDescriptorSupplier
      extends RunnerServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    RunnerServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (RunnerServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new RunnerServiceFileDescriptorSupplier())
              .addMethod(getRunMethod())
              .addMethod(getAttachMethod())
              .addMethod(getCancelMethod())
              .addMethod(getRunStatusMethod())
              .addMethod(getWaitRunMethod())
              .addMethod(getListRunsMethod())
              .addMethod(getListRunEventsMethod())
              .addMethod(getEnqueueMessageMethod())
              .addMethod(getCancelQueuedMessagesMethod())
              .addMethod(getResolveApprovalMethod())
              .addMethod(getSubmitToolOutputsMethod())
              .build();
        }
      }
    }
    return result;
  }
}
