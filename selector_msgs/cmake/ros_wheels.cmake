# ROS 2 wheels were exported inside a manylinux container, so their Python support targets list
# the headers of that container's interpreters. CMake refuses to generate while an imported
# target names a folder that does not exist; the headers of the interpreter in use serve instead.
# ROS 2 from apt or from source has no such entry, and nothing is changed there.
function(selector_msgs_repair_wheel_targets)
  get_directory_property(imported IMPORTED_TARGETS)
  foreach(target IN LISTS imported)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT "${folders}" MATCHES "/opt/python/cp[0-9]")
      continue()
    endif()
    list(FILTER folders EXCLUDE REGEX "/opt/python/cp[0-9]")
    list(APPEND folders ${Python3_INCLUDE_DIRS} ${Python3_NumPy_INCLUDE_DIRS})
    list(REMOVE_DUPLICATES folders)
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
  endforeach()
endfunction()

selector_msgs_repair_wheel_targets()
