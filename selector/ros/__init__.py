"""The ROS node and the bag player: the only place that knows rclpy and message packages."""
