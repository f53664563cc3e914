# filetree_room(NAME HEADERS h... SOURCES s... [LINKS rooms...] [PRIVATE_LINKS libraries...])
#
# A room is a static library that sees the public headers of itself and of the rooms it links, and
# no others: each room's headers are linked into an include directory of its own, so an include
# against the direction of the dependencies does not build.
function(filetree_room name)
  cmake_parse_arguments(ROOM "" "" "HEADERS;SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(target filetree_${name})
  set(visible ${PROJECT_BINARY_DIR}/rooms/${name})
  foreach(header IN LISTS ROOM_HEADERS)
    file(MAKE_DIRECTORY ${visible}/filetree)
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/include/filetree/${header}
         ${visible}/filetree/${header} SYMBOLIC)
  endforeach()

  add_library(${target} STATIC ${ROOM_SOURCES})
  add_library(filetree::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${visible}>
                                              $<INSTALL_INTERFACE:include>)
  target_link_libraries(${target} PUBLIC ${ROOM_LINKS} Threads::Threads
                                  PRIVATE ${ROOM_PRIVATE_LINKS})
  filetree_compile_options(${target})
  set_property(GLOBAL APPEND PROPERTY FILETREE_ROOMS ${target})
endfunction()

# The warnings, and the sanitizers or counters, that all of our targets are built with.
function(filetree_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                           $<$<BOOL:${FILETREE_WERROR}>:-Werror>)
  # Sources compiled as one see each other's anonymous names.
  if(CMAKE_UNITY_BUILD)
    target_compile_options(${target} PRIVATE
                           -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  if(FILETREE_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${FILETREE_SANITIZE}
                                            -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${FILETREE_SANITIZE})
  endif()
  if(FILETREE_COVERAGE)
    target_compile_options(${target} PUBLIC --coverage -fprofile-update=atomic -Og)
    target_link_options(${target} PUBLIC --coverage)
  endif()
endfunction()
