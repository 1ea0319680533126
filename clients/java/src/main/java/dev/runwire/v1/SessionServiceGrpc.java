package dev.runwire.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Conversations and their state.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class SessionServiceGrpc {

  private SessionServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "runwire.v1.SessionService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.CreateSessionRequest,
      dev.runwire.v1.CreateSessionResponse> getCreateSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateSession",
      requestType = dev.runwire.v1.CreateSessionRequest.class,
      responseType = dev.runwire.v1.CreateSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.CreateSessionRequest,
      dev.runwire.v1.CreateSessionResponse> getCreateSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.CreateSessionRequest, dev.runwire.v1.CreateSessionResponse> getCreateSessionMethod;
    if ((getCreateSessionMethod = SessionServiceGrpc.getCreateSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getCreateSessionMethod = SessionServiceGrpc.getCreateSessionMethod) == null) {
          SessionServiceGrpc.getCreateSessionMethod = getCreateSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.CreateSessionRequest, dev.runwire.v1.CreateSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CreateSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CreateSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("CreateSession"))
              .build();
        }
      }
    }
    return getCreateSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.GetOrCreateSessionRequest,
      dev.runwire.v1.GetOrCreateSessionResponse> getGetOrCreateSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetOrCreateSession",
      requestType = dev.runwire.v1.GetOrCreateSessionRequest.class,
      responseType = dev.runwire.v1.GetOrCreateSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.GetOrCreateSessionRequest,
      dev.runwire.v1.GetOrCreateSessionResponse> getGetOrCreateSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.GetOrCreateSessionRequest, dev.runwire.v1.GetOrCreateSessionResponse> getGetOrCreateSessionMethod;
    if ((getGetOrCreateSessionMethod = SessionServiceGrpc.getGetOrCreateSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getGetOrCreateSessionMethod = SessionServiceGrpc.getGetOrCreateSessionMethod) == null) {
          SessionServiceGrpc.getGetOrCreateSessionMethod = getGetOrCreateSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.GetOrCreateSessionRequest, dev.runwire.v1.GetOrCreateSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetOrCreateSession"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetOrCreateSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetOrCreateSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("GetOrCreateSession"))
              .build();
        }
      }
    }
    return getGetOrCreateSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.GetSessionRequest,
      dev.runwire.v1.GetSessionResponse> getGetSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetSession",
      requestType = dev.runwire.v1.GetSessionRequest.class,
      responseType = dev.runwire.v1.GetSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.GetSessionRequest,
      dev.runwire.v1.GetSessionResponse> getGetSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.GetSessionRequest, dev.runwire.v1.GetSessionResponse> getGetSessionMethod;
    if ((getGetSessionMethod = SessionServiceGrpc.getGetSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getGetSessionMethod = SessionServiceGrpc.getGetSessionMethod) == null) {
          SessionServiceGrpc.getGetSessionMethod = getGetSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.GetSessionRequest, dev.runwire.v1.GetSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetSession"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("GetSession"))
              .build();
        }
      }
    }
    return getGetSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.ListSessionsRequest,
      dev.runwire.v1.ListSessionsResponse> getListSessionsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListSessions",
      requestType = dev.runwire.v1.ListSessionsRequest.class,
      responseType = dev.runwire.v1.ListSessionsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.ListSessionsRequest,
      dev.runwire.v1.ListSessionsResponse> getListSessionsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.ListSessionsRequest, dev.runwire.v1.ListSessionsResponse> getListSessionsMethod;
    if ((getListSessionsMethod = SessionServiceGrpc.getListSessionsMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getListSessionsMethod = SessionServiceGrpc.getListSessionsMethod) == null) {
          SessionServiceGrpc.getListSessionsMethod = getListSessionsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.ListSessionsRequest, dev.runwire.v1.ListSessionsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListSessions"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListSessionsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListSessionsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("ListSessions"))
              .build();
        }
      }
    }
    return getListSessionsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.UpdateSessionRequest,
      dev.runwire.v1.UpdateSessionResponse> getUpdateSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "UpdateSession",
      requestType = dev.runwire.v1.UpdateSessionRequest.class,
      responseType = dev.runwire.v1.UpdateSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.UpdateSessionRequest,
      dev.runwire.v1.UpdateSessionResponse> getUpdateSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.UpdateSessionRequest, dev.runwire.v1.UpdateSessionResponse> getUpdateSessionMethod;
    if ((getUpdateSessionMethod = SessionServiceGrpc.getUpdateSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getUpdateSessionMethod = SessionServiceGrpc.getUpdateSessionMethod) == null) {
          SessionServiceGrpc.getUpdateSessionMethod = getUpdateSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.UpdateSessionRequest, dev.runwire.v1.UpdateSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "UpdateSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.UpdateSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.UpdateSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("UpdateSession"))
              .build();
        }
      }
    }
    return getUpdateSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.DeleteSessionRequest,
      dev.runwire.v1.DeleteSessionResponse> getDeleteSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteSession",
      requestType = dev.runwire.v1.DeleteSessionRequest.class,
      responseType = dev.runwire.v1.DeleteSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.DeleteSessionRequest,
      dev.runwire.v1.DeleteSessionResponse> getDeleteSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.DeleteSessionRequest, dev.runwire.v1.DeleteSessionResponse> getDeleteSessionMethod;
    if ((getDeleteSessionMethod = SessionServiceGrpc.getDeleteSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getDeleteSessionMethod = SessionServiceGrpc.getDeleteSessionMethod) == null) {
          SessionServiceGrpc.getDeleteSessionMethod = getDeleteSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.DeleteSessionRequest, dev.runwire.v1.DeleteSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteSession"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.DeleteSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.DeleteSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("DeleteSession"))
              .build();
        }
      }
    }
    return getDeleteSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.RestoreSessionRequest,
      dev.runwire.v1.RestoreSessionResponse> getRestoreSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RestoreSession",
      requestType = dev.runwire.v1.RestoreSessionRequest.class,
      responseType = dev.runwire.v1.RestoreSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.RestoreSessionRequest,
      dev.runwire.v1.RestoreSessionResponse> getRestoreSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.RestoreSessionRequest, dev.runwire.v1.RestoreSessionResponse> getRestoreSessionMethod;
    if ((getRestoreSessionMethod = SessionServiceGrpc.getRestoreSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getRestoreSessionMethod = SessionServiceGrpc.getRestoreSessionMethod) == null) {
          SessionServiceGrpc.getRestoreSessionMethod = getRestoreSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.RestoreSessionRequest, dev.runwire.v1.RestoreSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RestoreSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.RestoreSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.RestoreSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("RestoreSession"))
              .build();
        }
      }
    }
    return getRestoreSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.AppendEventRequest,
      dev.runwire.v1.AppendEventResponse> getAppendEventMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "AppendEvent",
      requestType = dev.runwire.v1.AppendEventRequest.class,
      responseType = dev.runwire.v1.AppendEventResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.AppendEventRequest,
      dev.runwire.v1.AppendEventResponse> getAppendEventMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.AppendEventRequest, dev.runwire.v1.AppendEventResponse> getAppendEventMethod;
    if ((getAppendEventMethod = SessionServiceGrpc.getAppendEventMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getAppendEventMethod = SessionServiceGrpc.getAppendEventMethod) == null) {
          SessionServiceGrpc.getAppendEventMethod = getAppendEventMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.AppendEventRequest, dev.runwire.v1.AppendEventResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "AppendEvent"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.AppendEventRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.AppendEventResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("AppendEvent"))
              .build();
        }
      }
    }
    return getAppendEventMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.ListEventsRequest,
      dev.runwire.v1.ListEventsResponse> getListEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListEvents",
      requestType = dev.runwire.v1.ListEventsRequest.class,
      responseType = dev.runwire.v1.ListEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.ListEventsRequest,
      dev.runwire.v1.ListEventsResponse> getListEventsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.ListEventsRequest, dev.runwire.v1.ListEventsResponse> getListEventsMethod;
    if ((getListEventsMethod = SessionServiceGrpc.getListEventsMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getListEventsMethod = SessionServiceGrpc.getListEventsMethod) == null) {
          SessionServiceGrpc.getListEventsMethod = getListEventsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.ListEventsRequest, dev.runwire.v1.ListEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListEvents"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("ListEvents"))
              .build();
        }
      }
    }
    return getListEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.GetEventWindowRequest,
      dev.runwire.v1.GetEventWindowResponse> getGetEventWindowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetEventWindow",
      requestType = dev.runwire.v1.GetEventWindowRequest.class,
      responseType = dev.runwire.v1.GetEventWindowResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.GetEventWindowRequest,
      dev.runwire.v1.GetEventWindowResponse> getGetEventWindowMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.GetEventWindowRequest, dev.runwire.v1.GetEventWindowResponse> getGetEventWindowMethod;
    if ((getGetEventWindowMethod = SessionServiceGrpc.getGetEventWindowMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getGetEventWindowMethod = SessionServiceGrpc.getGetEventWindowMethod) == null) {
          SessionServiceGrpc.getGetEventWindowMethod = getGetEventWindowMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.GetEventWindowRequest, dev.runwire.v1.GetEventWindowResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetEventWindow"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetEventWindowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetEventWindowResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("GetEventWindow"))
              .build();
        }
      }
    }
    return getGetEventWindowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.TruncateSessionRequest,
      dev.runwire.v1.TruncateSessionResponse> getTruncateSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "TruncateSession",
      requestType = dev.runwire.v1.TruncateSessionRequest.class,
      responseType = dev.runwire.v1.TruncateSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.TruncateSessionRequest,
      dev.runwire.v1.TruncateSessionResponse> getTruncateSessionMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.TruncateSessionRequest, dev.runwire.v1.TruncateSessionResponse> getTruncateSessionMethod;
    if ((getTruncateSessionMethod = SessionServiceGrpc.getTruncateSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getTruncateSessionMethod = SessionServiceGrpc.getTruncateSessionMethod) == null) {
          SessionServiceGrpc.getTruncateSessionMethod = getTruncateSessionMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.TruncateSessionRequest, dev.runwire.v1.TruncateSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "TruncateSession"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.TruncateSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.TruncateSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("TruncateSession"))
              .build();
        }
      }
    }
    return getTruncateSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.GetStateRequest,
      dev.runwire.v1.GetStateResponse> getGetStateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetState",
      requestType = dev.runwire.v1.GetStateRequest.class,
      responseType = dev.runwire.v1.GetStateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.GetStateRequest,
      dev.runwire.v1.GetStateResponse> getGetStateMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.GetStateRequest, dev.runwire.v1.GetStateResponse> getGetStateMethod;
    if ((getGetStateMethod = SessionServiceGrpc.getGetStateMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getGetStateMethod = SessionServiceGrpc.getGetStateMethod) == null) {
          SessionServiceGrpc.getGetStateMethod = getGetStateMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.GetStateRequest, dev.runwire.v1.GetStateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetState"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetStateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetStateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("GetState"))
              .build();
        }
      }
    }
    return getGetStateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.UpdateStateRequest,
      dev.runwire.v1.UpdateStateResponse> getUpdateStateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "UpdateState",
      requestType = dev.runwire.v1.UpdateStateRequest.class,
      responseType = dev.runwire.v1.UpdateStateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.UpdateStateRequest,
      dev.runwire.v1.UpdateStateResponse> getUpdateStateMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.UpdateStateRequest, dev.runwire.v1.UpdateStateResponse> getUpdateStateMethod;
    if ((getUpdateStateMethod = SessionServiceGrpc.getUpdateStateMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getUpdateStateMethod = SessionServiceGrpc.getUpdateStateMethod) == null) {
          SessionServiceGrpc.getUpdateStateMethod = getUpdateStateMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.UpdateStateRequest, dev.runwire.v1.UpdateStateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "UpdateState"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.UpdateStateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.UpdateStateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("UpdateState"))
              .build();
        }
      }
    }
    return getUpdateStateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.DeleteStateRequest,
      dev.runwire.v1.DeleteStateResponse> getDeleteStateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteState",
      requestType = dev.runwire.v1.DeleteStateRequest.class,
      responseType = dev.runwire.v1.DeleteStateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.DeleteStateRequest,
      dev.runwire.v1.DeleteStateResponse> getDeleteStateMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.DeleteStateRequest, dev.runwire.v1.DeleteStateResponse> getDeleteStateMethod;
    if ((getDeleteStateMethod = SessionServiceGrpc.getDeleteStateMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getDeleteStateMethod = SessionServiceGrpc.getDeleteStateMethod) == null) {
          SessionServiceGrpc.getDeleteStateMethod = getDeleteStateMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.DeleteStateRequest, dev.runwire.v1.DeleteStateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteState"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.DeleteStateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.DeleteStateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("DeleteState"))
              .build();
        }
      }
    }
    return getDeleteStateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.CreateSummaryRequest,
      dev.runwire.v1.CreateSummaryResponse> getCreateSummaryMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateSummary",
      requestType = dev.runwire.v1.CreateSummaryRequest.class,
      responseType = dev.runwire.v1.CreateSummaryResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.CreateSummaryRequest,
      dev.runwire.v1.CreateSummaryResponse> getCreateSummaryMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.CreateSummaryRequest, dev.runwire.v1.CreateSummaryResponse> getCreateSummaryMethod;
    if ((getCreateSummaryMethod = SessionServiceGrpc.getCreateSummaryMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getCreateSummaryMethod = SessionServiceGrpc.getCreateSummaryMethod) == null) {
          SessionServiceGrpc.getCreateSummaryMethod = getCreateSummaryMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.CreateSummaryRequest, dev.runwire.v1.CreateSummaryResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateSummary"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CreateSummaryRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.CreateSummaryResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("CreateSummary"))
              .build();
        }
      }
    }
    return getCreateSummaryMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.GetSummaryRequest,
      dev.runwire.v1.GetSummaryResponse> getGetSummaryMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetSummary",
      requestType = dev.runwire.v1.GetSummaryRequest.class,
      responseType = dev.runwire.v1.GetSummaryResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.GetSummaryRequest,
      dev.runwire.v1.GetSummaryResponse> getGetSummaryMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.GetSummaryRequest, dev.runwire.v1.GetSummaryResponse> getGetSummaryMethod;
    if ((getGetSummaryMethod = SessionServiceGrpc.getGetSummaryMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getGetSummaryMethod = SessionServiceGrpc.getGetSummaryMethod) == null) {
          SessionServiceGrpc.getGetSummaryMethod = getGetSummaryMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.GetSummaryRequest, dev.runwire.v1.GetSummaryResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetSummary"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetSummaryRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.GetSummaryResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("GetSummary"))
              .build();
        }
      }
    }
    return getGetSummaryMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.AppendTrackEventsRequest,
      dev.runwire.v1.AppendTrackEventsResponse> getAppendTrackEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "AppendTrackEvents",
      requestType = dev.runwire.v1.AppendTrackEventsRequest.class,
      responseType = dev.runwire.v1.AppendTrackEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.AppendTrackEventsRequest,
      dev.runwire.v1.AppendTrackEventsResponse> getAppendTrackEventsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.AppendTrackEventsRequest, dev.runwire.v1.AppendTrackEventsResponse> getAppendTrackEventsMethod;
    if ((getAppendTrackEventsMethod = SessionServiceGrpc.getAppendTrackEventsMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getAppendTrackEventsMethod = SessionServiceGrpc.getAppendTrackEventsMethod) == null) {
          SessionServiceGrpc.getAppendTrackEventsMethod = getAppendTrackEventsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.AppendTrackEventsRequest, dev.runwire.v1.AppendTrackEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "AppendTrackEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.AppendTrackEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.AppendTrackEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("AppendTrackEvents"))
              .build();
        }
      }
    }
    return getAppendTrackEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.ListTrackEventsRequest,
      dev.runwire.v1.ListTrackEventsResponse> getListTrackEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListTrackEvents",
      requestType = dev.runwire.v1.ListTrackEventsRequest.class,
      responseType = dev.runwire.v1.ListTrackEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.ListTrackEventsRequest,
      dev.runwire.v1.ListTrackEventsResponse> getListTrackEventsMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.ListTrackEventsRequest, dev.runwire.v1.ListTrackEventsResponse> getListTrackEventsMethod;
    if ((getListTrackEventsMethod = SessionServiceGrpc.getListTrackEventsMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getListTrackEventsMethod = SessionServiceGrpc.getListTrackEventsMethod) == null) {
          SessionServiceGrpc.getListTrackEventsMethod = getListTrackEventsMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.ListTrackEventsRequest, dev.runwire.v1.ListTrackEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListTrackEvents"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListTrackEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.ListTrackEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("ListTrackEvents"))
              .build();
        }
      }
    }
    return getListTrackEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.runwire.v1.FlushRequest,
      dev.runwire.v1.FlushResponse> getFlushMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Flush",
      requestType = dev.runwire.v1.FlushRequest.class,
      responseType = dev.runwire.v1.FlushResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.runwire.v1.FlushRequest,
      dev.runwire.v1.FlushResponse> getFlushMethod() {
    io.grpc.MethodDescriptor<dev.runwire.v1.FlushRequest, dev.runwire.v1.FlushResponse> getFlushMethod;
    if ((getFlushMethod = SessionServiceGrpc.getFlushMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getFlushMethod = SessionServiceGrpc.getFlushMethod) == null) {
          SessionServiceGrpc.getFlushMethod = getFlushMethod =
              io.grpc.MethodDescriptor.<dev.runwire.v1.FlushRequest, dev.runwire.v1.FlushResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Flush"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.FlushRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.runwire.v1.FlushResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("Flush"))
              .build();
        }
      }
    }
    return getFlushMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static SessionServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceStub>() {
        @java.lang.Override
        public SessionServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceStub(channel, callOptions);
        }
      };
    return SessionServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static SessionServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingV2Stub>() {
        @java.lang.Override
        public SessionServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return SessionServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static SessionServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingStub>() {
        @java.lang.Override
        public SessionServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceBlockingStub(channel, callOptions);
        }
      };
    return SessionServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static SessionServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceFutureStub>() {
        @java.lang.Override
        public SessionServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceFutureStub(channel, callOptions);
        }
      };
    return SessionServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Conversations and their state.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Makes a session. One that exists is ALREADY_EXISTS.
     * </pre>
     */
    default void createSession(dev.runwire.v1.CreateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CreateSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gets a session, or makes it, in one step.
     * </pre>
     */
    default void getOrCreateSession(dev.runwire.v1.GetOrCreateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetOrCreateSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetOrCreateSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reads a session and its events, as a model would be shown them.
     * </pre>
     */
    default void getSession(dev.runwire.v1.GetSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists a user's sessions, the one written last first.
     * </pre>
     */
    default void listSessions(dev.runwire.v1.ListSessionsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListSessionsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListSessionsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Changes a session's name or expiry.
     * </pre>
     */
    default void updateSession(dev.runwire.v1.UpdateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.UpdateSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getUpdateSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Deletes a session with its events, its tracks and its own state. One that does not exist is OK. It can be
     * restored for as long as the server keeps it.
     * </pre>
     */
    default void deleteSession(dev.runwire.v1.DeleteSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.DeleteSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Undoes the last DeleteSession of this key. NOT_FOUND when nothing can be restored (any more), ALREADY_EXISTS when
     * there is a session with this key.
     * </pre>
     */
    default void restoreSession(dev.runwire.v1.RestoreSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.RestoreSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRestoreSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Appends an event to a session, outside a run.
     * </pre>
     */
    default void appendEvent(dev.runwire.v1.AppendEventRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.AppendEventResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getAppendEventMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists a session's events, all of them, without the rules of GetSession.
     * </pre>
     */
    default void listEvents(dev.runwire.v1.ListEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reads the events around one.
     * </pre>
     */
    default void getEventWindow(dev.runwire.v1.GetEventWindowRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetEventWindowResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetEventWindowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Deletes the events after one, for good, to edit and run again. ABORTED while a run of the session has not ended.
     * </pre>
     */
    default void truncateSession(dev.runwire.v1.TruncateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.TruncateSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getTruncateSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reads the state of one tier.
     * </pre>
     */
    default void getState(dev.runwire.v1.GetStateRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetStateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetStateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Merges into the state of one tier, key by key (RFC 7396): a null deletes.
     * </pre>
     */
    default void updateState(dev.runwire.v1.UpdateStateRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.UpdateStateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getUpdateStateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Deletes keys of one tier. A key that is not there is OK.
     * </pre>
     */
    default void deleteState(dev.runwire.v1.DeleteStateRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.DeleteStateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteStateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Makes a summary now, or queues one.
     * </pre>
     */
    default void createSummary(dev.runwire.v1.CreateSummaryRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CreateSummaryResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateSummaryMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reads a summary.
     * </pre>
     */
    default void getSummary(dev.runwire.v1.GetSummaryRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetSummaryResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetSummaryMethod(), responseObserver);
    }

    /**
     * <pre>
     * Appends observations beside the conversation.
     * </pre>
     */
    default void appendTrackEvents(dev.runwire.v1.AppendTrackEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.AppendTrackEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getAppendTrackEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the observations of a track.
     * </pre>
     */
    default void listTrackEvents(dev.runwire.v1.ListTrackEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListTrackEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListTrackEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Waits until all that this server has accepted is durable. Without asynchronous persistence it is already.
     * </pre>
     */
    default void flush(dev.runwire.v1.FlushRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.FlushResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getFlushMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service SessionService.
   * <pre>
   * Conversations and their state.
   * </pre>
   */
  public static abstract class SessionServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return SessionServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service SessionService.
   * <pre>
   * Conversations and their state.
   * </pre>
   */
  public static final class SessionServiceStub
      extends io.grpc.stub.AbstractAsyncStub<SessionServiceStub> {
    private SessionServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a session. One that exists is ALREADY_EXISTS.
     * </pre>
     */
    public void createSession(dev.runwire.v1.CreateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CreateSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Gets a session, or makes it, in one step.
     * </pre>
     */
    public void getOrCreateSession(dev.runwire.v1.GetOrCreateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetOrCreateSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetOrCreateSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reads a session and its events, as a model would be shown them.
     * </pre>
     */
    public void getSession(dev.runwire.v1.GetSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists a user's sessions, the one written last first.
     * </pre>
     */
    public void listSessions(dev.runwire.v1.ListSessionsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListSessionsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListSessionsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Changes a session's name or expiry.
     * </pre>
     */
    public void updateSession(dev.runwire.v1.UpdateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.UpdateSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getUpdateSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Deletes a session with its events, its tracks and its own state. One that does not exist is OK. It can be
     * restored for as long as the server keeps it.
     * </pre>
     */
    public void deleteSession(dev.runwire.v1.DeleteSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.DeleteSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Undoes the last DeleteSession of this key. NOT_FOUND when nothing can be restored (any more), ALREADY_EXISTS when
     * there is a session with this key.
     * </pre>
     */
    public void restoreSession(dev.runwire.v1.RestoreSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.RestoreSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRestoreSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Appends an event to a session, outside a run.
     * </pre>
     */
    public void appendEvent(dev.runwire.v1.AppendEventRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.AppendEventResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getAppendEventMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists a session's events, all of them, without the rules of GetSession.
     * </pre>
     */
    public void listEvents(dev.runwire.v1.ListEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reads the events around one.
     * </pre>
     */
    public void getEventWindow(dev.runwire.v1.GetEventWindowRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetEventWindowResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetEventWindowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Deletes the events after one, for good, to edit and run again. ABORTED while a run of the session has not ended.
     * </pre>
     */
    public void truncateSession(dev.runwire.v1.TruncateSessionRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.TruncateSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getTruncateSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reads the state of one tier.
     * </pre>
     */
    public void getState(dev.runwire.v1.GetStateRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetStateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetStateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Merges into the state of one tier, key by key (RFC 7396): a null deletes.
     * </pre>
     */
    public void updateState(dev.runwire.v1.UpdateStateRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.UpdateStateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getUpdateStateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Deletes keys of one tier. A key that is not there is OK.
     * </pre>
     */
    public void deleteState(dev.runwire.v1.DeleteStateRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.DeleteStateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteStateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Makes a summary now, or queues one.
     * </pre>
     */
    public void createSummary(dev.runwire.v1.CreateSummaryRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.CreateSummaryResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateSummaryMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reads a summary.
     * </pre>
     */
    public void getSummary(dev.runwire.v1.GetSummaryRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.GetSummaryResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetSummaryMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Appends observations beside the conversation.
     * </pre>
     */
    public void appendTrackEvents(dev.runwire.v1.AppendTrackEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.AppendTrackEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getAppendTrackEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the observations of a track.
     * </pre>
     */
    public void listTrackEvents(dev.runwire.v1.ListTrackEventsRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.ListTrackEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListTrackEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Waits until all that this server has accepted is durable. Without asynchronous persistence it is already.
     * </pre>
     */
    public void flush(dev.runwire.v1.FlushRequest request,
        io.grpc.stub.StreamObserver<dev.runwire.v1.FlushResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getFlushMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service SessionService.
   * <pre>
   * Conversations and their state.
   * </pre>
   */
  public static final class SessionServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<SessionServiceBlockingV2Stub> {
    private SessionServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a session. One that exists is ALREADY_EXISTS.
     * </pre>
     */
    public dev.runwire.v1.CreateSessionResponse createSession(dev.runwire.v1.CreateSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gets a session, or makes it, in one step.
     * </pre>
     */
    public dev.runwire.v1.GetOrCreateSessionResponse getOrCreateSession(dev.runwire.v1.GetOrCreateSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetOrCreateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads a session and its events, as a model would be shown them.
     * </pre>
     */
    public dev.runwire.v1.GetSessionResponse getSession(dev.runwire.v1.GetSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists a user's sessions, the one written last first.
     * </pre>
     */
    public dev.runwire.v1.ListSessionsResponse listSessions(dev.runwire.v1.ListSessionsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListSessionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Changes a session's name or expiry.
     * </pre>
     */
    public dev.runwire.v1.UpdateSessionResponse updateSession(dev.runwire.v1.UpdateSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getUpdateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes a session with its events, its tracks and its own state. One that does not exist is OK. It can be
     * restored for as long as the server keeps it.
     * </pre>
     */
    public dev.runwire.v1.DeleteSessionResponse deleteSession(dev.runwire.v1.DeleteSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Undoes the last DeleteSession of this key. NOT_FOUND when nothing can be restored (any more), ALREADY_EXISTS when
     * there is a session with this key.
     * </pre>
     */
    public dev.runwire.v1.RestoreSessionResponse restoreSession(dev.runwire.v1.RestoreSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRestoreSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Appends an event to a session, outside a run.
     * </pre>
     */
    public dev.runwire.v1.AppendEventResponse appendEvent(dev.runwire.v1.AppendEventRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getAppendEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists a session's events, all of them, without the rules of GetSession.
     * </pre>
     */
    public dev.runwire.v1.ListEventsResponse listEvents(dev.runwire.v1.ListEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads the events around one.
     * </pre>
     */
    public dev.runwire.v1.GetEventWindowResponse getEventWindow(dev.runwire.v1.GetEventWindowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetEventWindowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes the events after one, for good, to edit and run again. ABORTED while a run of the session has not ended.
     * </pre>
     */
    public dev.runwire.v1.TruncateSessionResponse truncateSession(dev.runwire.v1.TruncateSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getTruncateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads the state of one tier.
     * </pre>
     */
    public dev.runwire.v1.GetStateResponse getState(dev.runwire.v1.GetStateRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Merges into the state of one tier, key by key (RFC 7396): a null deletes.
     * </pre>
     */
    public dev.runwire.v1.UpdateStateResponse updateState(dev.runwire.v1.UpdateStateRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getUpdateStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes keys of one tier. A key that is not there is OK.
     * </pre>
     */
    public dev.runwire.v1.DeleteStateResponse deleteState(dev.runwire.v1.DeleteStateRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes a summary now, or queues one.
     * </pre>
     */
    public dev.runwire.v1.CreateSummaryResponse createSummary(dev.runwire.v1.CreateSummaryRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateSummaryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads a summary.
     * </pre>
     */
    public dev.runwire.v1.GetSummaryResponse getSummary(dev.runwire.v1.GetSummaryRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetSummaryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Appends observations beside the conversation.
     * </pre>
     */
    public dev.runwire.v1.AppendTrackEventsResponse appendTrackEvents(dev.runwire.v1.AppendTrackEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getAppendTrackEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the observations of a track.
     * </pre>
     */
    public dev.runwire.v1.ListTrackEventsResponse listTrackEvents(dev.runwire.v1.ListTrackEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListTrackEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until all that this server has accepted is durable. Without asynchronous persistence it is already.
     * </pre>
     */
    public dev.runwire.v1.FlushResponse flush(dev.runwire.v1.FlushRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getFlushMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service SessionService.
   * <pre>
   * Conversations and their state.
   * </pre>
   */
  public static final class SessionServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<SessionServiceBlockingStub> {
    private SessionServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a session. One that exists is ALREADY_EXISTS.
     * </pre>
     */
    public dev.runwire.v1.CreateSessionResponse createSession(dev.runwire.v1.CreateSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gets a session, or makes it, in one step.
     * </pre>
     */
    public dev.runwire.v1.GetOrCreateSessionResponse getOrCreateSession(dev.runwire.v1.GetOrCreateSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetOrCreateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads a session and its events, as a model would be shown them.
     * </pre>
     */
    public dev.runwire.v1.GetSessionResponse getSession(dev.runwire.v1.GetSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists a user's sessions, the one written last first.
     * </pre>
     */
    public dev.runwire.v1.ListSessionsResponse listSessions(dev.runwire.v1.ListSessionsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListSessionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Changes a session's name or expiry.
     * </pre>
     */
    public dev.runwire.v1.UpdateSessionResponse updateSession(dev.runwire.v1.UpdateSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getUpdateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes a session with its events, its tracks and its own state. One that does not exist is OK. It can be
     * restored for as long as the server keeps it.
     * </pre>
     */
    public dev.runwire.v1.DeleteSessionResponse deleteSession(dev.runwire.v1.DeleteSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Undoes the last DeleteSession of this key. NOT_FOUND when nothing can be restored (any more), ALREADY_EXISTS when
     * there is a session with this key.
     * </pre>
     */
    public dev.runwire.v1.RestoreSessionResponse restoreSession(dev.runwire.v1.RestoreSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRestoreSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Appends an event to a session, outside a run.
     * </pre>
     */
    public dev.runwire.v1.AppendEventResponse appendEvent(dev.runwire.v1.AppendEventRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getAppendEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists a session's events, all of them, without the rules of GetSession.
     * </pre>
     */
    public dev.runwire.v1.ListEventsResponse listEvents(dev.runwire.v1.ListEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads the events around one.
     * </pre>
     */
    public dev.runwire.v1.GetEventWindowResponse getEventWindow(dev.runwire.v1.GetEventWindowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetEventWindowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes the events after one, for good, to edit and run again. ABORTED while a run of the session has not ended.
     * </pre>
     */
    public dev.runwire.v1.TruncateSessionResponse truncateSession(dev.runwire.v1.TruncateSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getTruncateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads the state of one tier.
     * </pre>
     */
    public dev.runwire.v1.GetStateResponse getState(dev.runwire.v1.GetStateRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Merges into the state of one tier, key by key (RFC 7396): a null deletes.
     * </pre>
     */
    public dev.runwire.v1.UpdateStateResponse updateState(dev.runwire.v1.UpdateStateRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getUpdateStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes keys of one tier. A key that is not there is OK.
     * </pre>
     */
    public dev.runwire.v1.DeleteStateResponse deleteState(dev.runwire.v1.DeleteStateRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes a summary now, or queues one.
     * </pre>
     */
    public dev.runwire.v1.CreateSummaryResponse createSummary(dev.runwire.v1.CreateSummaryRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateSummaryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads a summary.
     * </pre>
     */
    public dev.runwire.v1.GetSummaryResponse getSummary(dev.runwire.v1.GetSummaryRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetSummaryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Appends observations beside the conversation.
     * </pre>
     */
    public dev.runwire.v1.AppendTrackEventsResponse appendTrackEvents(dev.runwire.v1.AppendTrackEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getAppendTrackEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the observations of a track.
     * </pre>
     */
    public dev.runwire.v1.ListTrackEventsResponse listTrackEvents(dev.runwire.v1.ListTrackEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListTrackEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until all that this server has accepted is durable. Without asynchronous persistence it is already.
     * </pre>
     */
    public dev.runwire.v1.FlushResponse flush(dev.runwire.v1.FlushRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getFlushMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service SessionService.
   * <pre>
   * Conversations and their state.
   * </pre>
   */
  public static final class SessionServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<SessionServiceFutureStub> {
    private SessionServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a session. One that exists is ALREADY_EXISTS.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.CreateSessionResponse> createSession(
        dev.runwire.v1.CreateSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Gets a session, or makes it, in one step.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.GetOrCreateSessionResponse> getOrCreateSession(
        dev.runwire.v1.GetOrCreateSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetOrCreateSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reads a session and its events, as a model would be shown them.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.GetSessionResponse> getSession(
        dev.runwire.v1.GetSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists a user's sessions, the one written last first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.ListSessionsResponse> listSessions(
        dev.runwire.v1.ListSessionsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListSessionsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Changes a session's name or expiry.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.UpdateSessionResponse> updateSession(
        dev.runwire.v1.UpdateSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getUpdateSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Deletes a session with its events, its tracks and its own state. One that does not exist is OK. It can be
     * restored for as long as the server keeps it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.DeleteSessionResponse> deleteSession(
        dev.runwire.v1.DeleteSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Undoes the last DeleteSession of this key. NOT_FOUND when nothing can be restored (any more), ALREADY_EXISTS when
     * there is a session with this key.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.RestoreSessionResponse> restoreSession(
        dev.runwire.v1.RestoreSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRestoreSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Appends an event to a session, outside a run.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.AppendEventResponse> appendEvent(
        dev.runwire.v1.AppendEventRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getAppendEventMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists a session's events, all of them, without the rules of GetSession.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.ListEventsResponse> listEvents(
        dev.runwire.v1.ListEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reads the events around one.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.GetEventWindowResponse> getEventWindow(
        dev.runwire.v1.GetEventWindowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetEventWindowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Deletes the events after one, for good, to edit and run again. ABORTED while a run of the session has not ended.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.TruncateSessionResponse> truncateSession(
        dev.runwire.v1.TruncateSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getTruncateSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reads the state of one tier.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.GetStateResponse> getState(
        dev.runwire.v1.GetStateRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetStateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Merges into the state of one tier, key by key (RFC 7396): a null deletes.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.UpdateStateResponse> updateState(
        dev.runwire.v1.UpdateStateRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getUpdateStateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Deletes keys of one tier. A key that is not there is OK.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.DeleteStateResponse> deleteState(
        dev.runwire.v1.DeleteStateRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteStateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Makes a summary now, or queues one.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.CreateSummaryResponse> createSummary(
        dev.runwire.v1.CreateSummaryRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateSummaryMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reads a summary.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.GetSummaryResponse> getSummary(
        dev.runwire.v1.GetSummaryRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetSummaryMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Appends observations beside the conversation.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.AppendTrackEventsResponse> appendTrackEvents(
        dev.runwire.v1.AppendTrackEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getAppendTrackEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the observations of a track.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.ListTrackEventsResponse> listTrackEvents(
        dev.runwire.v1.ListTrackEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListTrackEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Waits until all that this server has accepted is durable. Without asynchronous persistence it is already.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.runwire.v1.FlushResponse> flush(
        dev.runwire.v1.FlushRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getFlushMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CREATE_SESSION = 0;
  private static final int METHODID_GET_OR_CREATE_SESSION = 1;
  private static final int METHODID_GET_SESSION = 2;
  private static final int METHODID_LIST_SESSIONS = 3;
  private static final int METHODID_UPDATE_SESSION = 4;
  private static final int METHODID_DELETE_SESSION = 5;
  private static final int METHODID_RESTORE_SESSION = 6;
  private static final int METHODID_APPEND_EVENT = 7;
  private static final int METHODID_LIST_EVENTS = 8;
  private static final int METHODID_GET_EVENT_WINDOW = 9;
  private static final int METHODID_TRUNCATE_SESSION = 10;
  private static final int METHODID_GET_STATE = 11;
  private static final int METHODID_UPDATE_STATE = 12;
  private static final int METHODID_DELETE_STATE = 13;
  private static final int METHODID_CREATE_SUMMARY = 14;
  private static final int METHODID_GET_SUMMARY = 15;
  private static final int METHODID_APPEND_TRACK_EVENTS = 16;
  private static final int METHODID_LIST_TRACK_EVENTS = 17;
  private static final int METHODID_FLUSH = 18;

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
        case METHODID_CREATE_SESSION:
          serviceImpl.createSession((dev.runwire.v1.CreateSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.CreateSessionResponse>) responseObserver);
          break;
        case METHODID_GET_OR_CREATE_SESSION:
          serviceImpl.getOrCreateSession((dev.runwire.v1.GetOrCreateSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.GetOrCreateSessionResponse>) responseObserver);
          break;
        case METHODID_GET_SESSION:
          serviceImpl.getSession((dev.runwire.v1.GetSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.GetSessionResponse>) responseObserver);
          break;
        case METHODID_LIST_SESSIONS:
          serviceImpl.listSessions((dev.runwire.v1.ListSessionsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.ListSessionsResponse>) responseObserver);
          break;
        case METHODID_UPDATE_SESSION:
          serviceImpl.updateSession((dev.runwire.v1.UpdateSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.UpdateSessionResponse>) responseObserver);
          break;
        case METHODID_DELETE_SESSION:
          serviceImpl.deleteSession((dev.runwire.v1.DeleteSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.DeleteSessionResponse>) responseObserver);
          break;
        case METHODID_RESTORE_SESSION:
          serviceImpl.restoreSession((dev.runwire.v1.RestoreSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.RestoreSessionResponse>) responseObserver);
          break;
        case METHODID_APPEND_EVENT:
          serviceImpl.appendEvent((dev.runwire.v1.AppendEventRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.AppendEventResponse>) responseObserver);
          break;
        case METHODID_LIST_EVENTS:
          serviceImpl.listEvents((dev.runwire.v1.ListEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.ListEventsResponse>) responseObserver);
          break;
        case METHODID_GET_EVENT_WINDOW:
          serviceImpl.getEventWindow((dev.runwire.v1.GetEventWindowRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.GetEventWindowResponse>) responseObserver);
          break;
        case METHODID_TRUNCATE_SESSION:
          serviceImpl.truncateSession((dev.runwire.v1.TruncateSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.TruncateSessionResponse>) responseObserver);
          break;
        case METHODID_GET_STATE:
          serviceImpl.getState((dev.runwire.v1.GetStateRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.GetStateResponse>) responseObserver);
          break;
        case METHODID_UPDATE_STATE:
          serviceImpl.updateState((dev.runwire.v1.UpdateStateRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.UpdateStateResponse>) responseObserver);
          break;
        case METHODID_DELETE_STATE:
          serviceImpl.deleteState((dev.runwire.v1.DeleteStateRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.DeleteStateResponse>) responseObserver);
          break;
        case METHODID_CREATE_SUMMARY:
          serviceImpl.createSummary((dev.runwire.v1.CreateSummaryRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.CreateSummaryResponse>) responseObserver);
          break;
        case METHODID_GET_SUMMARY:
          serviceImpl.getSummary((dev.runwire.v1.GetSummaryRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.GetSummaryResponse>) responseObserver);
          break;
        case METHODID_APPEND_TRACK_EVENTS:
          serviceImpl.appendTrackEvents((dev.runwire.v1.AppendTrackEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.AppendTrackEventsResponse>) responseObserver);
          break;
        case METHODID_LIST_TRACK_EVENTS:
          serviceImpl.listTrackEvents((dev.runwire.v1.ListTrackEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.ListTrackEventsResponse>) responseObserver);
          break;
        case METHODID_FLUSH:
          serviceImpl.flush((dev.runwire.v1.FlushRequest) request,
              (io.grpc.stub.StreamObserver<dev.runwire.v1.FlushResponse>) responseObserver);
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
          getCreateSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.CreateSessionRequest,
              dev.runwire.v1.CreateSessionResponse>(
                service, METHODID_CREATE_SESSION)))
        .addMethod(
          getGetOrCreateSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.GetOrCreateSessionRequest,
              dev.runwire.v1.GetOrCreateSessionResponse>(
                service, METHODID_GET_OR_CREATE_SESSION)))
        .addMethod(
          getGetSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.GetSessionRequest,
              dev.runwire.v1.GetSessionResponse>(
                service, METHODID_GET_SESSION)))
        .addMethod(
          getListSessionsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.ListSessionsRequest,
              dev.runwire.v1.ListSessionsResponse>(
                service, METHODID_LIST_SESSIONS)))
        .addMethod(
          getUpdateSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.UpdateSessionRequest,
              dev.runwire.v1.UpdateSessionResponse>(
                service, METHODID_UPDATE_SESSION)))
        .addMethod(
          getDeleteSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.DeleteSessionRequest,
              dev.runwire.v1.DeleteSessionResponse>(
                service, METHODID_DELETE_SESSION)))
        .addMethod(
          getRestoreSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.RestoreSessionRequest,
              dev.runwire.v1.RestoreSessionResponse>(
                service, METHODID_RESTORE_SESSION)))
        .addMethod(
          getAppendEventMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.AppendEventRequest,
              dev.runwire.v1.AppendEventResponse>(
                service, METHODID_APPEND_EVENT)))
        .addMethod(
          getListEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.ListEventsRequest,
              dev.runwire.v1.ListEventsResponse>(
                service, METHODID_LIST_EVENTS)))
        .addMethod(
          getGetEventWindowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.GetEventWindowRequest,
              dev.runwire.v1.GetEventWindowResponse>(
                service, METHODID_GET_EVENT_WINDOW)))
        .addMethod(
          getTruncateSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.TruncateSessionRequest,
              dev.runwire.v1.TruncateSessionResponse>(
                service, METHODID_TRUNCATE_SESSION)))
        .addMethod(
          getGetStateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.GetStateRequest,
              dev.runwire.v1.GetStateResponse>(
                service, METHODID_GET_STATE)))
        .addMethod(
          getUpdateStateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.UpdateStateRequest,
              dev.runwire.v1.UpdateStateResponse>(
                service, METHODID_UPDATE_STATE)))
        .addMethod(
          getDeleteStateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.DeleteStateRequest,
              dev.runwire.v1.DeleteStateResponse>(
                service, METHODID_DELETE_STATE)))
        .addMethod(
          getCreateSummaryMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.CreateSummaryRequest,
              dev.runwire.v1.CreateSummaryResponse>(
                service, METHODID_CREATE_SUMMARY)))
        .addMethod(
          getGetSummaryMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.GetSummaryRequest,
              dev.runwire.v1.GetSummaryResponse>(
                service, METHODID_GET_SUMMARY)))
        .addMethod(
          getAppendTrackEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.AppendTrackEventsRequest,
              dev.runwire.v1.AppendTrackEventsResponse>(
                service, METHODID_APPEND_TRACK_EVENTS)))
        .addMethod(
          getListTrackEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.ListTrackEventsRequest,
              dev.runwire.v1.ListTrackEventsResponse>(
                service, METHODID_LIST_TRACK_EVENTS)))
        .addMethod(
          getFlushMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.runwire.v1.FlushRequest,
              dev.runwire.v1.FlushResponse>(
                service, METHODID_FLUSH)))
        .build();
  }

  private static abstract class SessionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    SessionServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.runwire.v1.SessionServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("SessionService");
    }
  }

  private static final class SessionServiceFileDescriptorSupplier
      extends SessionServiceBaseDescriptorSupplier {
    SessionServiceFileDescriptorSupplier() {}
  }

  private static final class SessionServiceMethodDescriptorSupplier
      extends SessionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    SessionServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (SessionServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new SessionServiceFileDescriptorSupplier())
              .addMethod(getCreateSessionMethod())
              .addMethod(getGetOrCreateSessionMethod())
              .addMethod(getGetSessionMethod())
              .addMethod(getListSessionsMethod())
              .addMethod(getUpdateSessionMethod())
              .addMethod(getDeleteSessionMethod())
              .addMethod(getRestoreSessionMethod())
              .addMethod(getAppendEventMethod())
              .addMethod(getListEventsMethod())
              .addMethod(getGetEventWindowMethod())
              .addMethod(getTruncateSessionMethod())
              .addMethod(getGetStateMethod())
              .addMethod(getUpdateStateMethod())
              .addMethod(getDeleteStateMethod())
              .addMethod(getCreateSummaryMethod())
              .addMethod(getGetSummaryMethod())
              .addMethod(getAppendTrackEventsMethod())
              .addMethod(getListTrackEventsMethod())
              .addMethod(getFlushMethod())
              .build();
        }
      }
    }
    return result;
  }
}
